/**
 * Command line of what multiplies the vision tower's matrices, the library's kernels or ours: matrix by matrix, and a whole picture
 * of 448x448. `--model 2b|4b|8b` or a GGUF file; default: the embedded model.
 */
import { parseArgs } from 'node:util';
import { table } from '../src/cli/table.ts';
import { VisionEncoder } from '../src/engine/vision/encoder.ts';
import { kernelsFor, type MatmulKernel } from '../src/engine/vision/kernel/matmulKernel.ts';
import { type TrialMatmul, trialMatmul } from '../src/engine/vision/trialMatmul.ts';
import { fillsBlocks, type WeightType } from '../src/engine/vision/weightType.ts';
import { openBackend } from '../src/llama/backend.ts';
import { openNative } from '../src/llama/native.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import { environment } from './engine/environment.ts';
import { median } from './engine/figures.ts';
import { modelOption } from './engine/options.ts';
import { openSubject } from './engine/subject.ts';
import { environmentTable } from './state/environmentTable.ts';
import { timed } from './turn/spread.ts';

const rounds = 9;
const threads = 2;
const side = 448;

interface Contender {
  readonly weightType: WeightType;
  /** Undefined: the library's. */
  readonly kernel: MatmulKernel | undefined;
}

const { values } = parseArgs({ options: { model: { type: 'string' } } });
process.stdout.write(environmentTable(await environment()));
const subject = await openSubject(modelOption(values));
const pair = await resolveModelPair(subject.paths);
const { hidden, feedForward, patchSize } = pair.vision;
const patches = (side / patchSize) ** 2;
const native = await openNative('off', () => {});
const backend = openBackend(native.ggml, 'off', threads);
const contenders: readonly Contender[] = [
  ...(['f16', 'bf16', 'q8_0'] as const).map((weightType) => ({ weightType, kernel: undefined })),
  ...kernelsFor(native.systemInfo).map((kernel) => ({ weightType: kernel.weightType, kernel })),
];

/** Times of each, in turn, so that what else the machine does slows all of them alike. */
async function mediansOf(runs: readonly ((() => Promise<number>) | undefined)[]): Promise<string[]> {
  const times = runs.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, run] of runs.entries()) if (run) times[index]?.push(await run());
  }
  return times.map((ms) => (ms.length > 0 ? median(ms).toFixed(1) : ''));
}

async function matrixRow(name: string, inner: number, outer: number): Promise<string[]> {
  const trials: (TrialMatmul | undefined)[] = [];
  for (const { weightType, kernel } of contenders) {
    const isPossible = fillsBlocks(weightType, inner);
    const shape = { inner, outer, columns: patches };
    trials.push(
      isPossible ? await trialMatmul(native.ggml, backend, shape, kernel ?? weightType) : undefined,
    );
  }
  const ms = await mediansOf(trials.map((trial) => trial && (() => trial.run())));
  for (const trial of trials) trial?.dispose();
  const gflops = ms.map((one) =>
    one === '' ? '' : ((2 * inner * outer * patches) / Number(one) / 1e6).toFixed(0),
  );
  return [`${name} ${inner}x${outer}, GFLOP/s`, ...gflops];
}

async function pictureMs({ weightType, kernel }: Contender): Promise<string> {
  const encoder = await VisionEncoder.load(native, backend, pair, {
    weightType,
    kernels: kernel ? [kernel] : [],
  });
  const rgb = Uint8Array.from({ length: side * side * 3 }, (_, index) => (index * 7_919) % 251);
  const encode = async (): Promise<void> => {
    const job = encoder.begin({ width: side, height: side, rgb });
    while (!(await job.step()));
    job.dispose();
  };
  await encode();
  const [ms = ''] = await mediansOf([() => timed(encode)]);
  encoder.dispose();
  return ms;
}

const rows = [
  await matrixRow('attn_qkv', hidden, 3 * hidden),
  await matrixRow('attn_out', hidden, hidden),
  await matrixRow('ffn_up', hidden, feedForward),
  await matrixRow('ffn_down', feedForward, hidden),
];
const encodes: string[] = [];
for (const contender of contenders) encodes.push(await pictureMs(contender));
backend.dispose();

const names = contenders.map(
  ({ weightType, kernel }) => `${kernel?.name.replace('_bf16', '') ?? 'library'} ${weightType}`,
);
process.stdout.write(`\n${subject.name}, ${threads} threads, ${patches} patches, medians of ${rounds}\n`);
process.stdout.write(table([['', ...names], ...rows, [`${side}x${side} px, ms`, ...encodes]]));
