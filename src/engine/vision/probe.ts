import type { Backend } from '../../llama/backend.ts';
import type { Ggml } from '../../llama/ggml.ts';
import { kernelFor, type MatmulKernel } from './kernel/matmulKernel.ts';
import { type TrialMatmul, trialMatmul } from './trialMatmul.ts';
import { fillsBlocks, type WeightType } from './weightType.ts';

/** GFLOP/s of a matmul of the tower's shape, by weight type; a type the backend cannot multiply is missing. */
export type ProbeGflops = Partial<Record<WeightType, number>>;

/** The tower's largest matmul: [inner, outer] weights. */
export interface ProbeShape {
  readonly inner: number;
  readonly outer: number;
}

/** Operations per run: enough to be bound by arithmetic and not by starting threads, few enough to take milliseconds. */
const probeFlops = 3e8;
const maxProbePatches = 1024;
const minProbeRounds = 2;
/** No further round starts after this. */
const probeBudgetMs = 80;

/**
 * Measures each type, by a kernel of ours where there is one: best run of some rounds. Every round runs all types in turn, so that
 * what else the machine does slows all of them alike.
 */
export async function probeMatmul(
  ggml: Ggml,
  backend: Backend,
  shape: ProbeShape,
  types: readonly WeightType[],
  kernels: readonly MatmulKernel[],
): Promise<ProbeGflops> {
  const trials = new Map<WeightType, TrialMatmul>();
  const columns = probePatches(shape);
  try {
    for (const type of types) {
      if (!fillsBlocks(type, shape.inner)) continue;
      const kernel = kernelFor(kernels, type, shape.inner, shape.outer);
      const trial = await trialMatmul(ggml, backend, { ...shape, columns }, kernel ?? type);
      if (trial) trials.set(type, trial);
    }
    const bestMs = new Map<WeightType, number>();
    const started = performance.now();
    for (let round = 0; round < minProbeRounds || performance.now() - started < probeBudgetMs; round++) {
      for (const [type, trial] of trials) {
        bestMs.set(type, Math.min(bestMs.get(type) ?? Number.POSITIVE_INFINITY, await trial.run()));
      }
    }
    const flops = 2 * shape.inner * shape.outer * columns;
    return Object.fromEntries([...bestMs].map(([type, ms]) => [type, Math.round(flops / ms / 1e5) / 10]));
  } finally {
    for (const trial of trials.values()) trial.dispose();
  }
}

function probePatches({ inner, outer }: ProbeShape): number {
  return Math.min(maxProbePatches, Math.ceil(probeFlops / (2 * inner * outer)));
}

/** Below this gain another type is not worth it, and a noisy probe would flip the choice from run to run. */
const worthwhileGain = 1.25;

/**
 * The file's own type, unless f16 or bf16 is clearly faster. q8_0 is only taken when the file has it or when asked for:
 * it rounds the activations too, and after the 24 layers of a random tower of 2B's shape its features are 1.2e-2 off
 * (bf16 5.6e-3), more than the 1e-2 we allow ourselves without being asked.
 *
 * With AMX an f16 file is always held as bf16: it multiplies that three to four times as fast, and a probe on a busy machine may not see it.
 */
export function chooseWeightType(
  own: WeightType,
  gflops: ProbeGflops,
  kernels: readonly MatmulKernel[],
): WeightType {
  const tiles = kernels.find(({ usesTiles }) => usesTiles);
  if (tiles && own === 'f16') return tiles.weightType;
  const speed = (type: WeightType) => gflops[type] ?? 0;
  const fastest = speed('bf16') > speed('f16') ? 'bf16' : 'f16';
  return speed(fastest) > 0 && speed(fastest) >= worthwhileGain * speed(own) ? fastest : own;
}
