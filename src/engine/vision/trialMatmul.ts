import { failure } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import { callAsync } from '../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import { fromFloats } from './convert.ts';
import { Linears } from './kernel/linears.ts';
import type { MatmulShape } from './kernel/matmulCode.ts';
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
 * @throws Error when the system lends no memory for a kernel's code
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
    const held = await fromFloats(ggml, type, someFloats(inner * outer), inner);
    const laid = kernel ? packPanels(kernel, held as Uint8Array<ArrayBuffer>, inner, outer) : held;
    ggml.ggml_backend_tensor_set(weights, laid, 0, laid.byteLength);
    for (const [tensor, count] of [
      [bias, outer],
      [input, inner * columns],
    ] as const) {
      ggml.ggml_backend_tensor_set(tensor, someFloats(count), 0, count * 4);
    }
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

/**
 * Real values everywhere, since untouched pages and denormals have a speed of their own; no two rows alike; and of 7 bits each, so that
 * all types hold them as they are and sums of a thousand products come out alike in any order.
 */
export function someFloats(count: number): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(count);
  for (let index = 0; index < count; index++) floats[index] = ((((index % 4_099) * 7_919) % 251) - 125) / 256;
  return floats;
}
