import { afterAll, expect, test } from 'vitest';
import { DecodeAborted } from '../src/engine/decode/decodeAbort.ts';
import { Runner } from '../src/engine/decode/runner.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import { cpuBackend } from './helpers/cpuBackend.ts';

const batchTokens = 2048;
const pair = await resolveModelPair();
const { native, backend } = await cpuBackend();
const runner = await Runner.load(native, {
  modelPath: pair.modelPath,
  kvCells: 2 * batchTokens,
  kvType: 'f16',
  batchTokens,
  maxSequences: 1,
  threads: 2,
  gpu: false,
  threadPool: backend.threadPool,
});
afterAll(() => runner.dispose());

function decode(first: number, count: number): Promise<void> {
  return runner.decodeTokens(
    Array.from({ length: count }, (_, index) => ({
      sequence: 0,
      token: (7 * (first + index)) % 500,
      position: first + index,
      wantsLogits: index === count - 1,
    })),
  );
}

/** State behind 64 tokens and 16 more, of all that computed them. */
async function stateAfterwards(): Promise<Uint8Array> {
  await decode(64, 16);
  const state = runner.save(0);
  runner.truncate(0, 64);
  return state;
}

test('a decode that is aborted ends early, and leaves the memory as it was', async () => {
  await decode(0, 64);
  const before = await stateAfterwards();

  const early = decode(64, batchTokens - 64);
  runner.abortDecode();
  await expect(early).rejects.toThrow(DecodeAborted);

  const late = decode(64, batchTokens - 64);
  setTimeout(() => runner.abortDecode(), 10);
  await expect(late).rejects.toThrow(DecodeAborted);

  expect(Buffer.compare(await stateAfterwards(), before)).toBe(0);

  // An abort that comes when nothing runs is of the past.
  runner.abortDecode();
  await decode(64, 16);
});
