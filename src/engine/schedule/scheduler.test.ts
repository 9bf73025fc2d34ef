import { expect, test } from 'vitest';
import { MemoryDisk, newStateController } from '../../../test/helpers/stateController.ts';
import { failure } from '../../core/errors.ts';
import { DecodeAborted } from '../decode/decodeAbort.ts';
import type { OutputText } from '../decode/outputText.ts';
import type { Runner } from '../decode/runner.ts';
import type { EncodeQueue } from '../vision/encodeQueue.ts';
import { PrefillRate } from './prefillRate.ts';
import { Scheduler } from './scheduler.ts';
import type { Sequence } from './sequence.ts';

/** A scheduler without a model; `decode` is what a native decode does. */
function setUp(decode: () => Promise<void> = async () => {}) {
  const aborts: string[] = [];
  const { controller, planner } = newStateController({ ramBytes: 1_000, disk: new MemoryDisk() });
  const runner = {
    options: { maxSequences: 4, kvCells: 1_000, batchTokens: 512 },
    decodeTokens: decode,
    abortDecode: () => aborts.push('aborted'),
    truncate: () => {},
    save: () => new Uint8Array(40),
  } as unknown as Runner;
  const encodes = { has: () => true, canStep: () => false } as unknown as EncodeQueue;
  const limits = { maxRunning: 4, maxWaiting: 4, overtakeBoundMs: 1_000, hotIdleMs: 60_000 };
  const parts = { encodes, state: controller, planner, rate: new PrefillRate() };
  const scheduler = new Scheduler(runner, parts, limits);
  const submit = (session: string, onDone: () => void, onError: (error: unknown) => void): Sequence =>
    scheduler.submit({
      tenant: 't',
      session,
      prompt: [{ kind: 'text', tokens: Array.from({ length: 100 }, (_, at) => at + 10) }],
      promptCells: 100,
      maxOutputTokens: 0,
      images: new Map(),
      sampler: undefined,
      output: { finish: () => ({ delta: '' }) } as unknown as OutputText,
      onDelta: () => {},
      onDone,
      onError,
    });
  const fill = (session: string): Promise<void> =>
    new Promise((resolve, reject) => void submit(session, resolve, reject));
  return { scheduler, fill, submit, aborts };
}

test('what is forgotten just before the end of the scheduler is not there to be kept', async () => {
  const { scheduler, fill } = setUp();
  await fill('s');
  const stopped = scheduler.stop(failure('engine_unavailable', { reason: 'the test ends' }));
  scheduler.forget('t', 's');
  await stopped;
  expect(scheduler.cache.idleCount).toBe(0);
});

test('an abort ends the decode that runs for nobody else, and what was there before it stays', async () => {
  const decodes: PromiseWithResolvers<void>[] = [];
  const { scheduler, fill, submit, aborts } = setUp(() => {
    const decode = Promise.withResolvers<void>();
    decodes.push(decode);
    return decode.promise;
  });
  const never = (): void => expect.unreachable('it was aborted');
  const first = submit('a', never, never);
  await expect.poll(() => decodes.length).toBe(1);
  decodes[0]?.resolve();
  await expect.poll(() => decodes.length).toBe(2);
  expect(aborts).toEqual([]);
  scheduler.abort(first);
  expect(aborts).toEqual(['aborted']);
  decodes[1]?.reject(new DecodeAborted());
  await expect.poll(() => scheduler.runningCount).toBe(0);
  expect(scheduler.cache.ledger.used).toBe(64);

  const done = fill('b');
  await expect.poll(() => decodes.length).toBe(3);
  decodes[2]?.resolve();
  await done;
  await scheduler.stop(failure('engine_unavailable', { reason: 'the test ends' }));
});
