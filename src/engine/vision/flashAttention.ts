import type { Backend } from '../../llama/backend.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import type { VisionHyperparameters } from '../../models/vision.ts';

/** Whether the backend can run flash attention for this tower's head size; the answer may depend on nothing else. */
export function supportsFlashAttention(
  ggml: Ggml,
  backend: Backend,
  { hidden, heads, mergeSize }: VisionHyperparameters,
): boolean {
  const context = ggml.ggml_init({
    mem_size: ggml.ggml_tensor_overhead() * 8,
    mem_buffer: null,
    no_alloc: true,
  });
  try {
    const headSize = hidden / heads;
    const patches = mergeSize ** 2;
    const tensor = (type: number) => {
      const flat = ggml.ggml_new_tensor_2d(context, type, headSize, heads * patches);
      const row = ggml.ggml_row_size(type, headSize);
      return ggml.ggml_view_3d(context, flat, headSize, patches, heads, row, row * patches, 0);
    };
    const [query, key, value] = [tensor(ggmlType.F32), tensor(ggmlType.F16), tensor(ggmlType.F16)];
    const node = ggml.ggml_flash_attn_ext(context, query, key, value, null, 1, 0, 0);
    return ggml.ggml_backend_supports_op(backend.pointer, node);
  } finally {
    ggml.ggml_free(context);
  }
}
