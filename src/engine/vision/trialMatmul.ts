import { failure } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import { callAsync, type Pointer } from '../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import { fromFloats } from './convert.ts';
import type { MatmulShape } from './kernel/block.ts';
import { Linears } from './kernel/linears.ts';
import { type MatmulKernel, packPanels } from './kernel/matmulKernel.ts';
import { type WeightType, weightTypeId } from './weightType.ts';

/** One matmul with its bias, to be tried out. Owns its memory. */
export interface TrialMatmul {
  /** Milliseconds. @throws engine_failed */
  run(): Promise<number>;
  /** [outer, columns] */
  output(): Float32Array;
  dispose(): void;
}

/**
 * By a kernel, or as the library does it. Undefined when the backend cannot multiply this type or has no room to try.
 * @throws engine_failed when the system lends no memory for a kernel's code
 */
export async function trialMatmul(
  ggml: Ggml,
  backend: Backend,
  shape: MatmulShape,
  how: WeightType | MatmulKernel,
): Promise<TrialMatmul | undefined> {
  const { inner, outer, columns } = shape;
  const [type, kernel] = typeof how === 'string' ? [how, undefined] : [how.weightType, how];
  const context = ggml.ggml_init({
    mem_size: 8 * ggml.ggml_tensor_overhead() + ggml.ggml_graph_overhead_custom(8, false),
    mem_buffer: null,
    no_alloc: true,
  });
  const linears = new Linears(ggml, 1);
  const releases = [() => ggml.ggml_free(context), () => linears.dispose()];
  const dispose = (): void => {
    for (const release of releases.splice(0).reverse()) release();
  };
  try {
    const weights = ggml.ggml_new_tensor_2d(context, weightTypeId[type], inner, outer);
    const bias = ggml.ggml_new_tensor_1d(context, ggmlType.F32, outer);
    const input = ggml.ggml_new_tensor_2d(context, ggmlType.F32, inner, columns);
    const product = kernel ? undefined : ggml.ggml_mul_mat(context, weights, input);
    const output = product
      ? ggml.ggml_add(context, product, bias)
      : linears.node(context, kernel as MatmulKernel, shape, { weights, bias, input });
    const graph = ggml.ggml_new_graph_custom(context, 8, false);
    ggml.ggml_build_forward_expand(graph, output);
    const isPossible = ggml.ggml_backend_supports_op(backend.pointer, product ?? output);
    const buffer = isPossible && ggml.ggml_backend_alloc_ctx_tensors_from_buft(context, backend.bufferType);
    if (!buffer) {
      dispose();
      return undefined;
    }
    releases.push(() => ggml.ggml_backend_buffer_free(buffer));
    linears.bind();
    const plain = await fromFloats(ggml, type, someFloats(inner * outer), inner);
    const laid = kernel ? new Uint8Array(plain.length) : plain;
    if (kernel) packPanels(kernel, plain, inner, outer, laid);
    ggml.ggml_backend_tensor_set(weights, laid, 0, laid.length);
    const fill = (tensor: Pointer, values: Float32Array): void =>
      ggml.ggml_backend_tensor_set(tensor, values, 0, values.byteLength);
    fill(bias, someFloats(outer));
    fill(input, someFloats(inner * columns));
    // What a kernel leaves out shows.
    fill(output, new Float32Array(outer * columns).fill(Number.NaN));
    return {
      async run() {
        linears.reset();
        const started = performance.now();
        const status = await callAsync(ggml.ggml_backend_graph_compute, backend.pointer, graph);
        if (status !== 0) throw failure('engine_failed', { reason: `matmul trial: ggml status ${status}` });
        return performance.now() - started;
      },
      output() {
        const values = new Float32Array(outer * columns);
        ggml.ggml_backend_tensor_get(output, values, 0, values.byteLength);
        return values;
      },
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Prime, so that no row of a matrix is like another near it. */
const patternLength = 4_099;

/**
 * Real values everywhere, since untouched pages and denormals have a speed of their own; no two rows alike (Knuth's multiplicative
 * hash); and of 5 bits each, so that all types hold them as they are and no sum of thousands of products is rounded, in any order.
 */
export function someFloats(count: number): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(count);
  const made = Math.min(count, patternLength);
  for (let index = 0; index < made; index++)
    floats[index] = (2 * (Math.imul(index, 0x9e3779b1) >>> 27) - 31) / 64;
  for (let end = made; end < count; end *= 2) floats.copyWithin(end, 0, Math.min(end, count - end));
  return floats;
}
