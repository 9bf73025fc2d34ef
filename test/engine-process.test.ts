import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Logger, LogLevel } from '../src/engine/ipc/logger.ts';
import { EngineProcess, type EngineProcessOptions } from '../src/inference/engineProcess.ts';
import type { ScriptedAnswer } from '../src/inference/scriptedAnswer.ts';
import { collectGarbage } from './helpers/collectGarbage.ts';
import { ask, collect, describeInferencePort, freshImage } from './helpers/inferencePortSuite.ts';
import { childPids, isAlive } from './helpers/processes.ts';
import type { ScriptedChildConfig } from './helpers/scriptedChild.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const entry = new URL('./helpers/scriptedChild.ts', import.meta.url);
/** Spares most children the compilation of their TypeScript, two thirds of their start. */
const compileCache = mkdtempSync(join(tmpdir(), 'engine-process-test-'));
afterAll(() => rmSync(compileCache, { recursive: true }));

const strangers = new Set(childPids());
const engines: EngineProcess[] = [];

function start(config: ScriptedChildConfig = {}, options: Partial<EngineProcessOptions> = {}): EngineProcess {
  const env = { NODE_COMPILE_CACHE: compileCache, ...options.env };
  const engine = new EngineProcess({ entry, config, logger: silentLogger, ...options, env });
  engines.push(engine);
  return engine;
}

const script = (answer: ScriptedAnswer, tenant = 'acme') => ({
  ...ask(JSON.stringify(answer), { tenant }),
  maxOutputTokens: 1000,
});
const long = script({ pieces: Array.from({ length: 60 }, (_, index) => ` ${index}`), delayMs: 2 });
const stalled = (name: string) => script({ pieces: [name, 'b'], stallAt: 1 });

test('calls of functions and counts of tokens cross the border', async () => {
  const engine = start();
  const toolCalls = [{ name: 'look', arguments: '{"at": "é"}' }];
  const request = { ...script({ pieces: ['a'], toolCalls }), tools: [{ name: 'look' }] };
  const { calls, result } = await collect(engine.generate(request));
  expect(calls).toEqual(toolCalls);
  expect(result.finishReason).toBe('tool_calls');
  expect((await engine.countTokens(request)).promptTokens).toBe(result.usage.promptTokens);
});

function killEngine(engine: EngineProcess): void {
  if (engine.pid !== undefined) process.kill(engine.pid, 'SIGKILL');
}

/** Resolves at the first delta with a promise of the rest. */
async function begin(engine: EngineProcess, request = stalled('a')): Promise<{ rest: Promise<unknown> }> {
  const events = engine.generate(request);
  expect((await events.next()).value).toMatchObject({ type: 'delta' });
  return { rest: events.next() };
}

interface Line {
  readonly level: LogLevel;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

function recordingLogger(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: LogLevel) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.dispose()));
  expect(childPids().filter((pid) => !strangers.has(pid))).toEqual([]);
});

describeInferencePort('the scripted engine in a process of its own', () => ({
  port: start({ maxRunning: 2 }),
  long,
}));

describe('a death of the engine', () => {
  test('fails what runs within a second; the engine restarts and the next request works', async () => {
    const engine = start();
    const { rest } = await begin(engine);
    const stats = expect(engine.stats()).resolves.toMatchObject({ running: 1, restarts: 0 });
    await stats;
    const killedAt = performance.now();
    killEngine(engine);
    await expect(rest).rejects.toMatchObject({
      code: 'engine_unavailable',
      details: { reason: 'signal SIGKILL' },
    });
    expect(performance.now() - killedAt).toBeLessThan(1000);
    expect((await collect(engine.generate(ask('hi')))).result.text).toMatch(/^echo /);
    expect(await engine.stats()).toMatchObject({ running: 0, restarts: 1 });
    expect((await engine.ready()).model).toBe('scripted');
  });

  test('an answer that crashes its own engine fails the same way, and others in flight with it', async () => {
    const engine = start();
    const bystander = await begin(engine);
    const culprit = collect(engine.generate(script({ pieces: ['a', 'b'], crashAt: 1 })));
    await Promise.all([
      expect(bystander.rest).rejects.toMatchObject({ code: 'engine_unavailable' }),
      expect(culprit).rejects.toMatchObject({ code: 'engine_unavailable' }),
    ]);
    await engine.prewarm(ask('hi'));
  });

  test('a request waits for a restart only so long, and can be aborted while it waits', async () => {
    const engine = start({ dieOnStart: true }, { restartWaitMs: 200, backoff: { baseMs: 60_000 } });
    const reason = new Error('no patience');
    const signal = AbortSignal.timeout(50);
    const aborted = collect(engine.generate(ask('a'), { signal }));
    const waiting = collect(engine.generate(ask('b')));
    const after = new AbortController();
    const abortedByHand = collect(engine.generate(ask('c'), { signal: after.signal }));
    after.abort(reason);
    await Promise.all([
      expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' }),
      expect(abortedByHand).rejects.toBe(reason),
      expect(waiting).rejects.toMatchObject({ code: 'engine_unavailable', details: { reason: /200 ms/ } }),
    ]);
  });

  test('waits between restarts grow until a request succeeds', async () => {
    const logger = recordingLogger();
    const engine = start({}, { logger, backoff: { baseMs: 40, maxMs: 160 } });
    for (let death = 1; death <= 5; death++) {
      await engine.ready();
      killEngine(engine);
      await expect.poll(() => deaths().length, { interval: 2 }).toBe(death);
    }
    await collect(engine.generate(ask('hi')));
    killEngine(engine);
    await expect.poll(() => deaths().length, { interval: 2 }).toBe(6);
    expect(deaths()).toEqual([0, 40, 80, 160, 160, 0]);

    function deaths(): unknown[] {
      return logger.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields.delayMs);
    }
  });

  test('200 kills at random moments: no hang, no process left, no memory kept', {
    timeout: 60_000,
  }, async () => {
    const engine = start({ maxRunning: 3 }, { backoff: { baseMs: 1, maxMs: 4 } });
    const outcomes = { done: 0, failed: 0 };
    let warmHeapBytes = 0;
    for (let kill = 0; kill < 200; kill++) {
      if (kill === 50) warmHeapBytes = heapBytes();
      await engine.ready();
      const answers = Array.from({ length: 4 }, async (_, index) => {
        const pieces = Array.from({ length: 6 }, () => `${kill}.${index} `);
        const request = script({ pieces, delayMs: 1 }, `tenant ${index}`);
        await collect(engine.generate(request)).then(
          () => outcomes.done++,
          (error) => {
            expect(error).toMatchObject({ code: 'engine_unavailable' });
            outcomes.failed++;
          },
        );
      });
      await sleep(Math.random() * 25);
      const { pid } = engine;
      killEngine(engine);
      await Promise.all(answers);
      while (engine.pid === pid) await sleep(1);
      const leaked = kill % 40 === 39 ? childPids().filter((pid) => !strangers.has(pid)) : [];
      expect(leaked.length).toBeLessThanOrEqual(1);
    }
    expect(outcomes.done + outcomes.failed).toBe(800);
    expect(outcomes.done).toBeGreaterThan(0);
    expect(outcomes.failed).toBeGreaterThan(0);
    expect(heapBytes() - warmHeapBytes).toBeLessThan(4 * 2 ** 20);
    expect((await collect(engine.generate(ask('still there?')))).result.text).toMatch(/^echo /);
    expect((await engine.stats()).restarts).toBe(200);
  });
});

describe('a request that kills', () => {
  const killer = script({ pieces: ['a', 'b'], crashAt: 1 });

  test('is refused after three deaths, without harm to others', async () => {
    const engine = start({}, { backoff: { baseMs: 1 } });
    for (let death = 0; death < 3; death++) {
      await expect(collect(engine.generate(killer))).rejects.toMatchObject({ code: 'engine_unavailable' });
    }
    await expect(collect(engine.generate(killer))).rejects.toMatchObject({
      code: 'poison_request',
      details: { kills: 3 },
    });
    await expect(engine.prewarm(killer)).rejects.toMatchObject({ code: 'poison_request' });
    await collect(engine.generate(ask('hi')));
    expect((await engine.stats()).restarts).toBe(3);
  });

  test('is forgiven when it succeeds', async () => {
    const engine = start({}, { backoff: { baseMs: 1 } });
    const request = script({ pieces: ['a', 'b'], delayMs: 100 });
    for (const deaths of [2, 2]) {
      for (let death = 0; death < deaths; death++) {
        const { rest } = await begin(engine, request);
        killEngine(engine);
        await expect(rest).rejects.toMatchObject({ code: 'engine_unavailable' });
      }
      await collect(engine.generate(request));
    }
  });

  test('is not spared for having been aborted just before', async () => {
    const engine = start({}, { backoff: { baseMs: 1 } });
    const request = stalled('a');
    for (let death = 1; death <= 3; death++) {
      const controller = new AbortController();
      const events = engine.generate(request, { signal: controller.signal });
      await events.next();
      // Stopped, so that it can't answer the abort before it dies.
      if (engine.pid !== undefined) process.kill(engine.pid, 'SIGSTOP');
      controller.abort(new Error('gone'));
      await expect(events.next()).rejects.toThrow('gone');
      killEngine(engine);
      await expectRestarts(engine, death);
    }
    await expect(collect(engine.generate(request))).rejects.toMatchObject({ code: 'poison_request' });
  });
});

describe('a start that fails', () => {
  test('is final when the child says why', async () => {
    const error = { code: 'model_file_not_found', details: { path: 'no-such.gguf' } } as const;
    const engine = start({ failToStart: error });
    const waiting = expect(collect(engine.generate(ask('hi')))).rejects.toMatchObject(error);
    await expect(engine.ready()).rejects.toMatchObject(error);
    await waiting;
    await expect(collect(engine.generate(ask('hi')))).rejects.toMatchObject(error);
    await expect.poll(() => engine.pid).toBeUndefined();
  });

  test('is tried five times when the process just dies', async () => {
    const logger = recordingLogger();
    const engine = start({ dieOnStart: true }, { logger, backoff: { baseMs: 1 } });
    const error = { code: 'engine_start_failed', details: { reason: /5 times.*signal SIGKILL/ } };
    const matching = expect.objectContaining({ code: error.code });
    await expect(engine.ready()).rejects.toEqual(matching);
    await expect(engine.stats()).rejects.toThrow(error.details.reason);
    expect(logger.lines.filter(({ message }) => message.includes('died, restarting'))).toHaveLength(4);
  });

  test('an entry that can not be loaded shows why in the log', async () => {
    const logger = recordingLogger();
    const missing = new URL('./helpers/no-such-entry.js', import.meta.url);
    const engine = start({}, { logger, entry: missing, backoff: { baseMs: 1 } });
    await expect(engine.ready()).rejects.toThrow('5 times while starting, last of exit code 1');
    expect(logger.lines.map(({ message }) => message).join('\n')).toContain('MODULE_NOT_FOUND');
  });
});

describe('the process border', () => {
  test('an abort stops the work of the child', async () => {
    const engine = start();
    const controller = new AbortController();
    const pieces = Array.from({ length: 500 }, () => 'x');
    const events = engine.generate(script({ pieces, delayMs: 2 }), { signal: controller.signal });
    await events.next();
    controller.abort();
    await expect(events.next()).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(async () => (await engine.stats()).running, { interval: 5 }).toBe(0);
    const { outputTokens } = await engine.stats();
    expect(outputTokens).toBeLessThan(250);
    await sleep(50);
    expect((await engine.stats()).outputTokens).toBe(outputTokens);
  });

  test('pixels cross it only when they are needed: again after a restart, not before', async () => {
    const engine = start();
    const image = freshImage({ width: 320, height: 256 });
    await collect(engine.generate(ask('a', { image })));
    await collect(engine.generate(ask('b', { image })));
    expect(image.fetches()).toBe(1);
    killEngine(engine);
    await expectRestarts(engine, 1);
    await collect(engine.generate(ask('c', { image })));
    expect(image.fetches()).toBe(2);
  });

  test('an abort while the child waits for pixels ends the request', async () => {
    const engine = start();
    const asked = Promise.withResolvers<void>();
    const image = freshImage();
    const pixels = () => {
      asked.resolve();
      return new Promise<never>(() => {});
    };
    const controller = new AbortController();
    const answer = collect(
      engine.generate(ask('a', { image: { ...image, pixels } }), { signal: controller.signal }),
    );
    await asked.promise;
    controller.abort(new Error('never mind'));
    await expect(answer).rejects.toThrow('never mind');
    await expect.poll(async () => (await engine.stats()).running, { interval: 5 }).toBe(0);
    await collect(engine.generate(ask('a', { image })));
  });

  test('errors keep code and details; others are logged and travel without their text', async () => {
    const logger = recordingLogger();
    const engine = start({}, { logger, env: { UV_THREADPOOL_SIZE: '1' } });
    const error = {
      code: 'context_length_exceeded',
      details: { needed: 9, holder: 'the cache', limit: 8 },
    } as const;
    await expect(collect(engine.generate(script({ error })))).rejects.toMatchObject({
      ...error,
      message: 'The prompt needs 9 tokens with its answer, the cache holds 8.',
    });
    const secret = ask('{ not json, secret');
    await expect(collect(engine.generate(secret))).rejects.toMatchObject({
      code: 'engine_failed',
      message: expect.not.stringContaining('secret'),
    });
    expect(logger.lines).toContainEqual({
      level: 'error',
      fields: { pid: engine.pid, stack: expect.stringContaining('JSON') },
      message: 'engine: unexpected error',
    });
    expect(logger.lines).toContainEqual({
      level: 'info',
      fields: { pid: engine.pid, threads: '1' },
      message: 'scripted child: open',
    });
  });

  test('a child with a native call under way ends on dispose, and when its parent is killed', async () => {
    const engine = start({ busyThread: true });
    await engine.ready();
    const beforeMs = performance.now();
    await engine.dispose();
    expect(performance.now() - beforeMs).toBeLessThan(3000);

    const path = new URL('./helpers/abandonedParent.ts', import.meta.url);
    const parent = spawn(process.execPath, [path.pathname], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await expect.poll(() => isAlive(pid), { timeout: 2000, interval: 10 }).toBe(false);
  });

  test('a terminal interrupt for the whole group leaves the end to the parent', async () => {
    const engine = start();
    const { rest } = await begin(engine, long);
    process.kill(engine.pid ?? 0, 'SIGINT');
    process.kill(engine.pid ?? 0, 'SIGTERM');
    expect(await rest).toMatchObject({ value: { type: 'delta' } });
    await sleep(50);
    expect(await engine.stats()).toMatchObject({ running: 1, restarts: 0 });
  });
});

/** A call that is sent before the death is noticed fails with it. */
async function expectRestarts(engine: EngineProcess, count: number): Promise<void> {
  const restarts = async () => (await engine.stats().catch(() => undefined))?.restarts;
  await expect.poll(restarts, { timeout: 5000, interval: 10 }).toBe(count);
}

/** After a full collection. */
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
