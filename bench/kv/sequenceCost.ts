import type { KvType } from '../../src/engine/decode/kvType.ts';
import { Runner } from '../../src/engine/decode/runner.ts';
import { openBackend } from '../../src/llama/backend.ts';
import { openNative } from '../../src/llama/native.ts';
import { resolveModelPair } from '../../src/models/pair.ts';

const batchTokens = 512;
const promptTokens = 2048;
const answerTokens = 64;

export interface SequenceCost {
  /** Of a saved sequence. */
  readonly stateBytesPerToken: number;
  readonly prefillTokensPerSecond: number;
  /** At the end of that prompt. */
  readonly decodeMsPerToken: number;
}

/** What one long sequence takes and how fast it is: 2,048 tokens, then 64 one by one. */
export async function sequenceCost(kvType: KvType): Promise<SequenceCost> {
  const pair = await resolveModelPair();
  const native = await openNative('off', () => {});
  const backend = openBackend(native.ggml, 'off', 2);
  const runner = await Runner.load(native, {
    modelPath: pair.modelPath,
    kvCells: promptTokens + batchTokens,
    kvType,
    batchTokens,
    maxSequences: 1,
    threads: 2,
    gpu: false,
    threadPool: backend.threadPool,
  });
  const decode = (first: number, count: number): Promise<void> =>
    runner.decodeTokens(
      Array.from({ length: count }, (_, index) => ({
        sequence: 0,
        token: (first + index) % runner.vocabulary.size,
        position: first + index,
        wantsLogits: false,
      })),
    );
  try {
    // The first batch of a context is slower than all others.
    await decode(0, batchTokens);
    runner.truncate(0, 0);
    const started = performance.now();
    for (let first = 0; first < promptTokens; first += batchTokens) await decode(first, batchTokens);
    const prefilled = performance.now();
    const state = runner.save(0);
    const saved = performance.now();
    for (let index = 0; index < answerTokens; index++) await decode(promptTokens + index, 1);
    return {
      stateBytesPerToken: state.length / promptTokens,
      prefillTokensPerSecond: (promptTokens / (prefilled - started)) * 1000,
      decodeMsPerToken: (performance.now() - saved) / answerTokens,
    };
  } finally {
    runner.dispose();
    backend.dispose();
  }
}
