import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface ServerRun {
  readonly url: string;
  readonly process: ChildProcess;
  /** Everything it wrote so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Its log lines so far. */
  readonly logs: () => Record<string, unknown>[];
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Asks `url`. */
  json(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
}

export interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked at field by field
  readonly body: any;
}

interface StartOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Does not wait until it is up. Then `url` is empty. */
  readonly wait?: 'ready' | 'nothing';
}

/**
 * Folders and `afterimage serve` processes on free ports, with the scripted engine unless flags say otherwise; what is left is
 * ended after each test, or after all of a file.
 */
export function servers({ endAfter = afterEach }: { endAfter?: typeof afterEach | typeof afterAll } = {}) {
  const running: ChildProcess[] = [];
  const folders: string[] = [];
  // Spares most processes the compilation of their TypeScript.
  const compileCache = mkdtempSync(join(tmpdir(), 'server-test-cache-'));
  endAfter(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  afterAll(() => rmSync(compileCache, { recursive: true }));

  const environment = (env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('AFTERIMAGE_'));
    return { ...Object.fromEntries(own), NODE_COMPILE_CACHE: compileCache, ...env };
  };

  const newFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'server-test-'));
    folders.push(folder);
    return folder;
  };

  /** Runs the command line to its end. */
  const run = async (args: readonly string[], env?: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, [entry, ...args], { env: environment(env) });
    running.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  };

  const start = async (folder: string, options: StartOptions = {}): Promise<ServerRun> => {
    const flags = ['--port', '0', '--engine', 'scripted', '--data-folder', folder, ...(options.flags ?? [])];
    const child = spawn(process.execPath, [entry, 'serve', ...flags], { env: environment(options.env) });
    running.push(child);
    let stdout = '';
    let stderr = '';
    const up = Promise.withResolvers<string>();
    child.stdout.on('data', (data) => {
      stdout += data;
      const [, url] = / at (http\S+), data in .*\n/.exec(stdout) ?? [];
      if (url) up.resolve(url);
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    const exit = once(child, 'close').then(([code, signal]) => {
      up.reject(new Error(`the server ended with ${code ?? signal} before it was up: ${stderr}`));
      return { code, signal };
    });
    if (options.wait === 'nothing') up.promise.catch(() => {});
    const url = options.wait === 'nothing' ? '' : await up.promise;
    return {
      url,
      process: child,
      stdout: () => stdout,
      stderr: () => stderr,
      logs: () => jsonLines(stderr),
      exit,
      json: async (method, path, body, headers = {}) => {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return { status: response.status, body: await response.json() };
      },
    };
  };
  return { newFolder, run, start };
}

const jsonLines = (text: string): Record<string, unknown>[] =>
  text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));

/** The answer's text of a response. */
export const textOf = ({ body }: Reply): string => body.output[0].content[0].text;

export interface StreamEvent {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: events are looked at field by field
  readonly [field: string]: any;
}

/** Events of a streamed response as they come. */
export async function* streamEvents(url: string, body: object): AsyncGenerator<StreamEvent> {
  const response = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
  });
  if (!response.body) throw new Error('there is nothing to read');
  let text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) {
      const data = /^data: (\{.*\})$/m.exec(frame)?.[1];
      if (data) yield JSON.parse(data);
    }
  }
}
