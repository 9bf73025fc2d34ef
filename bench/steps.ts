/**
 * Command line of what a native step takes: a prompt read in slices of several sizes, a follow-up behind histories of several
 * lengths, one token for several sequences, and how soon a prompt that is being read can be given up. `--model 2b|4b|8b` or a GGUF
 * file; default: the embedded model.
 */
import { parseArgs } from 'node:util';
import { table } from '../src/cli/table.ts';
import { DecodeAborted } from '../src/engine/decode/decodeAbort.ts';
import { Runner } from '../src/engine/decode/runner.ts';
import { openBackend } from '../src/llama/backend.ts';
import { openNative } from '../src/llama/native.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import { environment } from './engine/environment.ts';
import { median } from './engine/figures.ts';
import { modelOption } from './engine/options.ts';
import { openSubject } from './engine/subject.ts';
import { environmentTable } from './state/environmentTable.ts';
import { timed } from './turn/spread.ts';

const rounds = 3;
const promptTokens = 512;
const slices = [64, 128, 256, 512];
const sequenceCounts = [1, 2, 4, 8, 16];
const stepsEach = 6;
const followUpTokens = 22;
const histories = [200, 800, 1600];

const { values } = parseArgs({ options: { model: { type: 'string' }, text: { type: 'string' } } });
process.stdout.write(environmentTable(await environment()));
const subject = await openSubject(modelOption(values));
const native = await openNative('off', () => {});
const backend = openBackend(native.ggml, 'off', 2);
const runner = await Runner.load(native, {
  modelPath: (await resolveModelPair(subject.paths)).modelPath,
  kvCells: 4096,
  kvType: 'f16',
  batchTokens: promptTokens,
  maxSequences: Math.max(...sequenceCounts),
  threads: 2,
  gpu: false,
  threadPool: backend.threadPool,
});

const read = (first: number, count: number): Promise<void> =>
  runner.decodeTokens(
    Array.from({ length: count }, (_, index) => {
      const position = first + index;
      return { sequence: 0, token: position % runner.vocabulary.size, position, wantsLogits: false };
    }),
  );
const clear = (): void => {
  for (let sequence = 0; sequence < runner.options.maxSequences; sequence++) runner.truncate(sequence, 0);
};
const medianOf = async (measure: () => Promise<number>): Promise<number> => {
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) all.push(await measure());
  return median(all);
};

// The first batch of a context is slower than all others.
await read(0, promptTokens);
clear();
const sliceRows: string[][] = [];
for (const slice of slices) {
  const ms = await medianOf(async () => {
    const took = await timed(async () => {
      for (let first = 0; first < promptTokens; first += slice) await read(first, slice);
    });
    clear();
    return took;
  });
  sliceRows.push([
    `${promptTokens} tokens in slices of ${slice}`,
    `${((promptTokens / ms) * 1000).toFixed(1)} tokens/s`,
  ]);
}
const followUpRows: string[][] = [];
let history = 0;
for (const length of histories) {
  for (; history < length; history += 100) await read(history, 100);
  const ms = await medianOf(async () => {
    const took = await timed(() => read(length, followUpTokens));
    runner.truncate(0, length);
    return took;
  });
  followUpRows.push([`${followUpTokens} tokens behind ${length}`, `${ms.toFixed(1)} ms`]);
}
clear();
const stepRows: string[][] = [];
for (const count of sequenceCounts) {
  let position = 0;
  const step = (): Promise<void> =>
    runner.decodeTokens(
      Array.from({ length: count }, (_, sequence) => ({ sequence, token: 100, position, wantsLogits: true })),
    );
  const ms = await medianOf(async () => {
    const took = await timed(async () => {
      for (let n = 0; n < stepsEach; n++, position++) await step();
    });
    return took / stepsEach;
  });
  clear();
  stepRows.push([
    `a step of ${count} sequences`,
    `${ms.toFixed(1)} ms, ${((count / ms) * 1000).toFixed(1)} tokens/s`,
  ]);
}
const abortMs = await medianOf(async () => {
  const reading = read(0, promptTokens).catch((error: unknown) => {
    if (!(error instanceof DecodeAborted)) throw error;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const took = await timed(() => {
    runner.abortDecode();
    return reading;
  });
  clear();
  return took;
});
process.stdout.write(
  `\n${subject.name}${subject.remark ? ` (${subject.remark})` : ''}, medians of ${rounds}\n${table([
    ...sliceRows,
    ...followUpRows,
    ...stepRows,
    [`a prompt of ${promptTokens} tokens given up after 20 ms`, `ended ${abortMs.toFixed(1)} ms later`],
  ])}`,
);
runner.dispose();
backend.dispose();
