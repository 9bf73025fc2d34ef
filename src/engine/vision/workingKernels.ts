import type { Backend } from '../../llama/backend.ts';
import type { Ggml } from '../../llama/ggml.ts';
import type { MatmulShape } from './kernel/matmulCode.ts';
import type { MatmulKernel } from './kernel/matmulKernel.ts';
import { trialMatmul } from './trialMatmul.ts';

/** A whole panel and half of one, whole tiles and a rest, more than one job. */
const trialShape: MatmulShape = { inner: 1_024, outer: 80, columns: 221 };
/** Values are such that the order of sums hardly matters. */
const maxDifference = 1e-4;

/** The kernels that give here what the library gives, and why others do not. */
export async function workingKernels(
  ggml: Ggml,
  backend: Backend,
  kernels: readonly MatmulKernel[],
): Promise<{ working: readonly MatmulKernel[]; problems: readonly string[] }> {
  const working: MatmulKernel[] = [];
  const problems: string[] = [];
  for (const kernel of kernels) {
    try {
      const difference = await differenceOf(ggml, backend, kernel);
      if (difference <= maxDifference) working.push(kernel);
      else problems.push(`${kernel.name} is ${difference} off`);
    } catch (error) {
      problems.push(`${kernel.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { working, problems };
}

async function differenceOf(ggml: Ggml, backend: Backend, kernel: MatmulKernel): Promise<number> {
  const [ours, theirs] = [await outputOf(kernel), await outputOf(kernel.weightType)];
  return ours.reduce((most, value, index) => Math.max(most, Math.abs(value - (theirs[index] as number))), 0);

  async function outputOf(how: MatmulKernel | MatmulKernel['weightType']): Promise<Float32Array> {
    const trial = await trialMatmul(ggml, backend, trialShape, how);
    if (!trial) throw new Error('no room to try it');
    try {
      await trial.run();
      return trial.output();
    } finally {
      trial.dispose();
    }
  }
}
