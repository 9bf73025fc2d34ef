import { AfterimageError } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import type { Ggml } from '../../llama/ggml.ts';
import type { MatmulShape } from './kernel/block.ts';
import { lanesOf, type MatmulKernel, valuesPerStep } from './kernel/matmulKernel.ts';
import { trialMatmul } from './trialMatmul.ts';

/**
 * Both heights of a panel, all ways to unroll, whole tiles and a rest, one job and more than one. Other rests and sizes are the tests'
 * matter: this one asks whether the machine does what it says.
 */
function trialShapes(kernel: MatmulKernel): MatmulShape[] {
  const shape = (steps: number, columns: number): MatmulShape => ({
    inner: steps * valuesPerStep(kernel),
    outer: 5 * lanesOf(kernel),
    columns,
  });
  return [shape(1_024, 221), shape(66, 12), shape(33, 7)];
}

/**
 * Of each weight type the first kernel that gives here what the library gives, and why those before it do not.
 * @param kernels best first
 */
export async function workingKernels(
  ggml: Ggml,
  backend: Backend,
  kernels: readonly MatmulKernel[],
): Promise<{ working: readonly MatmulKernel[]; problems: readonly string[] }> {
  const working: MatmulKernel[] = [];
  const problems: string[] = [];
  for (const kernel of kernels) {
    if (working.some(({ weightType }) => weightType === kernel.weightType)) continue;
    try {
      const differences: number[] = [];
      for (const shape of trialShapes(kernel)) {
        differences.push(await differenceOf(ggml, backend, kernel, shape));
      }
      const worst = Math.max(...differences);
      if (worst === 0) working.push(kernel);
      else problems.push(`${kernel.name} is ${worst} off`);
    } catch (error) {
      problems.push(`${kernel.name}: ${reasonOf(error)}`);
    }
  }
  return { working, problems };
}

function reasonOf(error: unknown): unknown {
  if (error instanceof AfterimageError && error.details.reason !== undefined) return error.details.reason;
  return error instanceof Error ? error.message : error;
}

async function differenceOf(
  ggml: Ggml,
  backend: Backend,
  kernel: MatmulKernel,
  shape: MatmulShape,
): Promise<number> {
  const [ours, theirs] = [await outputOf(kernel), await outputOf(kernel.weightType)];
  return ours.reduce((most, value, index) => Math.max(most, Math.abs(value - (theirs[index] as number))), 0);

  async function outputOf(how: MatmulKernel | MatmulKernel['weightType']): Promise<Float32Array> {
    const trial = await trialMatmul(ggml, backend, shape, how);
    if (!trial) throw new Error('no room to try it');
    try {
      await trial.run();
      return trial.output();
    } finally {
      trial.dispose();
    }
  }
}
