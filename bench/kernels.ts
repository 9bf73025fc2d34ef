/**
 * Command line of what multiplies the vision tower's matrices: the library's kernels and ours, on the matrices of a released model's
 * tower and a picture of 448x448. `--model 2b|4b|8b`, default 2b.
 */
import { parseArgs } from 'node:util';
import { table } from '../src/cli/table.ts';
import { kernelsFor } from '../src/engine/vision/kernel/matmulKernel.ts';
import { type TrialMatmul, trialMatmul } from '../src/engine/vision/trialMatmul.ts';
import { openBackend } from '../src/llama/backend.ts';
import { openNative } from '../src/llama/native.ts';
import { environment } from './engine/environment.ts';
import { median } from './engine/figures.ts';
import { environmentTable } from './state/environmentTable.ts';
import { modelShapes } from './synthetic/shapes.ts';

const rounds = 9;
const patches = 784;
const threads = 2;

const { values } = parseArgs({ options: { model: { type: 'string', default: '2b' } } });
const shape = modelShapes[values.model as keyof typeof modelShapes];
if (!shape) throw new Error(`--model: ${values.model} is none of ${Object.keys(modelShapes).join(', ')}`);
const { hidden, feedForward } = shape.vision;
const matrices = [
  ['attn_qkv', hidden, 3 * hidden],
  ['attn_out', hidden, hidden],
  ['ffn_up', hidden, feedForward],
  ['ffn_down', feedForward, hidden],
] as const;

process.stdout.write(environmentTable(await environment()));
const native = await openNative('off', () => {});
const backend = openBackend(native.ggml, 'off', threads);
const contenders = [
  ...(['f16', 'bf16', 'q8_0'] as const).map((type) => ({ name: `library, ${type}`, how: type })),
  ...kernelsFor(native.systemInfo).map((kernel) => ({
    name: `${kernel.name}, ${kernel.weightType}`,
    how: kernel,
  })),
];

const gflops: string[][] = [];
for (const [name, inner, outer] of matrices) {
  const trials: (TrialMatmul | undefined)[] = [];
  for (const { how } of contenders) {
    const fills = how !== 'q8_0' || inner % 32 === 0;
    trials.push(
      fills ? await trialMatmul(native.ggml, backend, { inner, outer, columns: patches }, how) : undefined,
    );
  }
  const times = trials.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, trial] of trials.entries()) if (trial) times[index]?.push(await trial.run());
  }
  gflops.push([
    `${name} ${inner}x${outer}`,
    ...times.map((ms) =>
      ms.length > 0 ? ((2 * inner * outer * patches) / median(ms) / 1e6).toFixed(0) : '',
    ),
  ]);
  for (const trial of trials) trial?.dispose();
}
backend.dispose();

process.stdout.write(`\nGFLOP/s on ${threads} threads, medians of ${rounds}, ${patches} patches\n`);
process.stdout.write(table([['', ...contenders.map(({ name }) => name)], ...gflops]));
