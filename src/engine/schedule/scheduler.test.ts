import { expect, test } from 'vitest';
import { MemoryDisk, newStateController } from '../../../test/helpers/stateController.ts';
import { failure } from '../../core/errors.ts';
import type { OutputText } from '../decode/outputText.ts';
import type { Runner } from '../decode/runner.ts';
import type { EncodeQueue } from '../vision/encodeQueue.ts';
import { PrefillRate } from './prefillRate.ts';
import { Scheduler } from './scheduler.ts';

/** A scheduler without a model. */
function setUp() {
  const { controller, planner } = newStateController({ ramBytes: 1_000, disk: new MemoryDisk() });
  const runner = {
    options: { maxSequences: 4, kvCells: 1_000, batchTokens: 512 },
    decodeTokens: async () => {},
    truncate: () => {},
    save: () => new Uint8Array(40),
  } as unknown as Runner;
  const encodes = { has: () => true, canStep: () => false } as unknown as EncodeQueue;
  const limits = { maxRunning: 4, maxWaiting: 4, overtakeBoundMs: 1_000, hotIdleMs: 60_000 };
  const parts = { encodes, state: controller, planner, rate: new PrefillRate() };
  const scheduler = new Scheduler(runner, parts, limits);
  const fill = (session: string): Promise<void> =>
    new Promise((resolve, reject) => {
      scheduler.submit({
        tenant: 't',
        session,
        prompt: [{ kind: 'text', tokens: Array.from({ length: 100 }, (_, at) => at + 10) }],
        promptCells: 100,
        maxOutputTokens: 0,
        images: new Map(),
        sampler: undefined,
        output: { finish: () => ({ delta: '' }) } as OutputText,
        onDelta: () => {},
        onDone: () => resolve(),
        onError: reject,
      });
    });
  return { scheduler, fill };
}

test('what is forgotten just before the end of the scheduler is not there to be kept', async () => {
  const { scheduler, fill } = setUp();
  await fill('s');
  const stopped = scheduler.stop(failure('engine_unavailable', { reason: 'the test ends' }));
  scheduler.forget('t', 's');
  await stopped;
  expect(scheduler.cache.idleCount).toBe(0);
});
