import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineConfig } from '../src/engine/config.ts';
import type { EngineProcess } from '../src/inference/engineProcess.ts';
import { startNativeEngine } from '../src/inference/nativeEngine.ts';
import { collectGarbage } from './helpers/collectGarbage.ts';
import { ask, collect, describeInferencePort, freshImage } from './helpers/inferencePortSuite.ts';
import { childPids } from './helpers/processes.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const config: EngineConfig = { gpu: 'off', kvCells: 4096, maxRunning: 4, visionWeightType: 'f16' };

/** Kept from ending (its end tokens are 2000 and 2002), the embedded model talks until the limit. */
const long = {
  ...ask('Please describe the image.'),
  maxOutputTokens: 400,
  sampling: { logitBias: { 2000: -100, 2002: -100 } },
};

describeInferencePort('the native engine in a process of its own', async () => {
  const port = startNativeEngine(config, silentLogger);
  await port.ready();
  return { port, long };
});

describe('when the native engine is killed', () => {
  let engine: EngineProcess;
  const kill = (): void => {
    if (engine.pid !== undefined) process.kill(engine.pid, 'SIGKILL');
  };
  afterEach(() => engine.dispose());

  test('callers hear of it within a second, and the next request works', async () => {
    engine = startNativeEngine(config, silentLogger);
    await engine.ready();
    const events = engine.generate(long)[Symbol.asyncIterator]();
    expect((await events.next()).value?.type).toBe('delta');
    const killedAt = performance.now();
    kill();
    const rest = (async () => {
      while (!(await events.next()).done);
    })();
    await expect(rest).rejects.toMatchObject({
      code: 'engine_unavailable',
      details: { reason: 'signal SIGKILL' },
    });
    expect(performance.now() - killedAt).toBeLessThan(1000);
    const { result } = await collect(engine.generate(ask('What is it?', { image: freshImage() })));
    expect(result.usage.imagesEncoded).toBe(1);
    expect(await engine.stats()).toMatchObject({ restarts: 1, running: 0 });
  });

  // 200 take minutes: the shipped count keeps the suite short, AFTERIMAGE_TEST_KILLS=200 is the full run.
  const kills = Number(process.env.AFTERIMAGE_TEST_KILLS ?? 12);
  test(`${kills} kills at random moments: every request settles, no process is left`, {
    timeout: kills * 30_000,
  }, async () => {
    const strangers = new Set(childPids());
    engine = startNativeEngine(config, silentLogger);
    await engine.ready();
    const settled = { answered: 0, unavailable: 0 };
    let warm = { heap: 0, resident: 0 };
    for (let round = 0; round < kills; round++) {
      if (round === Math.floor(kills / 4)) warm = memoryBytes();
      const requests = [0, 1, 2].map((index) =>
        collect(engine.generate(ask(`${round}.${index} What is it?`, { image: freshImage() }))),
      );
      const outcomes = Promise.allSettled(requests);
      await sleep(Math.random() * 300);
      const victim = engine.pid;
      kill();
      // Its death is told by an event: until then the supervisor takes it for alive, and a second kill would be lost.
      await expect.poll(() => engine.pid, { interval: 5 }).not.toBe(victim);
      for (const outcome of await outcomes) {
        if (outcome.status === 'fulfilled') settled.answered++;
        else {
          expect(outcome.reason).toMatchObject({ code: 'engine_unavailable' });
          settled.unavailable++;
        }
      }
      await engine.ready();
    }
    expect(settled.answered + settled.unavailable).toBe(3 * kills);
    expect((await engine.stats()).restarts).toBe(kills);
    expect(childPids().filter((pid) => !strangers.has(pid))).toEqual([engine.pid]);
    const end = memoryBytes();
    expect(end.heap - warm.heap).toBeLessThan(8 * 2 ** 20);
    console.log(
      `${kills} kills: ${settled.answered} answered, ${settled.unavailable} told engine_unavailable; heap of the`,
      `caller ${mebibytes(warm.heap)} MiB after a quarter, ${mebibytes(end.heap)} at the end; resident`,
      `${mebibytes(warm.resident)} and ${mebibytes(end.resident)} MiB`,
    );
  });
});

test('a model that can not be had is a final error', async () => {
  const engine = startNativeEngine({ ...config, model: 'no-such-model.gguf' }, silentLogger);
  await expect(engine.ready()).rejects.toMatchObject({ code: 'model_file_not_found' });
  await expect(collect(engine.generate(ask('hi')))).rejects.toMatchObject({ code: 'model_file_not_found' });
  await engine.dispose();
});

function memoryBytes(): { heap: number; resident: number } {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, resident: rss };
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
