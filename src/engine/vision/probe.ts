import { failure } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import { callAsync, type Pointer } from '../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import { fromFloats } from './convert.ts';
import { fillsBlocks, type WeightType, weightTypeId } from './weightType.ts';

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
 * Measures each type, best run of some rounds. Every round runs all types in turn, so that what else the machine does
 * slows all of them alike.
 */
export async function probeMatmul(
  ggml: Ggml,
  backend: Backend,
  shape: ProbeShape,
  types: readonly WeightType[],
): Promise<ProbeGflops> {
  const matmuls: ProbeMatmul[] = [];
  try {
    for (const type of types) {
      if (!fillsBlocks(type, shape.inner)) continue;
      const matmul = await prepare(ggml, backend, shape, type);
      if (matmul) matmuls.push(matmul);
    }
    const bestMs = new Map<WeightType, number>();
    const started = performance.now();
    for (let round = 0; round < minProbeRounds || performance.now() - started < probeBudgetMs; round++) {
      for (const { type, run } of matmuls) {
        bestMs.set(type, Math.min(bestMs.get(type) ?? Number.POSITIVE_INFINITY, await run()));
      }
    }
    const flops = 2 * shape.inner * shape.outer * probePatches(shape);
    return Object.fromEntries([...bestMs].map(([type, ms]) => [type, Math.round(flops / ms / 1e5) / 10]));
  } finally {
    for (const matmul of matmuls) matmul.dispose();
  }
}

interface ProbeMatmul {
  readonly type: WeightType;
  /** Milliseconds of one run. */
  readonly run: () => Promise<number>;
  dispose(): void;
}

function probePatches({ inner, outer }: ProbeShape): number {
  return Math.min(maxProbePatches, Math.ceil(probeFlops / (2 * inner * outer)));
}

/** Undefined when the backend cannot multiply this type or has no room to try. */
async function prepare(
  ggml: Ggml,
  backend: Backend,
  shape: ProbeShape,
  type: WeightType,
): Promise<ProbeMatmul | undefined> {
  const { inner, outer } = shape;
  const patches = probePatches(shape);
  const context = ggml.ggml_init({
    mem_size: 4 * ggml.ggml_tensor_overhead() + ggml.ggml_graph_overhead_custom(4, false),
    mem_buffer: null,
    no_alloc: true,
  });
  const weights = ggml.ggml_new_tensor_2d(context, weightTypeId[type], inner, outer);
  const input = ggml.ggml_new_tensor_2d(context, ggmlType.F32, inner, patches);
  const product = ggml.ggml_mul_mat(context, weights, input);
  const graph = ggml.ggml_new_graph_custom(context, 4, false);
  ggml.ggml_build_forward_expand(graph, product);
  const buffer = ggml.ggml_backend_supports_op(backend.pointer, product)
    ? ggml.ggml_backend_alloc_ctx_tensors_from_buft(context, backend.bufferType)
    : null;
  if (!buffer) {
    ggml.ggml_free(context);
    return undefined;
  }
  // Real values everywhere: untouched pages and denormals have a speed of their own.
  const row = Float32Array.from({ length: inner }, (_, index) => Math.sin(index + 1));
  fill(ggml, weights, await fromFloats(ggml, type, row, inner), outer);
  fill(ggml, input, new Uint8Array(row.buffer), patches);
  return {
    type,
    run: async () => {
      const started = performance.now();
      const status = await callAsync(ggml.ggml_backend_graph_compute, backend.pointer, graph);
      if (status !== 0) throw failure('engine_failed', { reason: `matmul probe: ggml status ${status}` });
      return performance.now() - started;
    },
    dispose() {
      ggml.ggml_backend_buffer_free(buffer);
      ggml.ggml_free(context);
    },
  };
}

function fill(ggml: Ggml, tensor: Pointer, row: Uint8Array, rows: number): void {
  const bytes = new Uint8Array(row.length * rows);
  for (let start = 0; start < bytes.length; start += row.length) bytes.set(row, start);
  ggml.ggml_backend_tensor_set(tensor, bytes, 0, bytes.length);
}

/** Below this gain another type is not worth it, and a noisy probe would flip the choice from run to run. */
const worthwhileGain = 1.25;

/**
 * The file's own type, unless f16 or bf16 is clearly faster. q8_0 is only taken when the file has it or when asked for:
 * it rounds the activations too, and after the 24 layers of a random tower of 2B's shape its features are 1.2e-2 off
 * (bf16 5.6e-3), more than the 1e-2 we allow ourselves without being asked.
 */
export function chooseWeightType(own: WeightType, gflops: ProbeGflops): WeightType {
  const speed = (type: WeightType) => gflops[type] ?? 0;
  const fastest = speed('bf16') > speed('f16') ? 'bf16' : 'f16';
  return speed(fastest) > 0 && speed(fastest) >= worthwhileGain * speed(own) ? fastest : own;
}
