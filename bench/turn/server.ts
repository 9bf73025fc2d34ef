import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** `afterimage serve` with the scripted engine and all else as it comes, in a process of its own; one connection to it. */
export class BenchServer implements AsyncDisposable {
  readonly #url: string;
  readonly #process: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.#url = url;
  }

  static async start(dataFolder: string): Promise<BenchServer> {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('AFTERIMAGE_'));
    const flags = ['--engine', 'scripted', '--port', '0', '--data-folder', dataFolder];
    // Its log is written as always, to nowhere.
    const child = spawn(process.execPath, [entry, 'serve', ...flags], {
      env: Object.fromEntries(own),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`the server ended with ${code} before it was up`);
    });
    const line = once(child.stdout, 'data').then(([data]) => String(data));
    const [, url] = / at (http\S+), /.exec(await Promise.race([line, exited])) ?? [];
    exited.catch(() => {});
    if (url === undefined) throw new Error('the server did not say where it is');
    return new BenchServer(child, url);
  }

  /** The reply's body, read to its end. @throws Error when its status is not 200 */
  async ask(method: string, path: string, body?: object): Promise<string> {
    const sent = request(`${this.#url}${path}`, {
      method,
      agent: this.#agent,
      headers: { 'content-type': 'application/json' },
    });
    sent.end(body && JSON.stringify(body));
    const [reply] = await once(sent, 'response');
    const told = await text(reply);
    if (reply.statusCode !== 200) throw new Error(`${method} ${path}: ${reply.statusCode} ${told}`);
    return told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    if (this.#process.exitCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exit;
  }
}
