import './structs.ts';
import { type Bound, bind, type NativeTable } from './binding.ts';
import type { NativeLibraries } from './libraries.ts';

/** ggml tensor types as GGUF files and `ggml.h` number them. */
export const ggmlType = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, I32: 26, BF16: 30 } as const;

/** `enum ggml_backend_dev_type`. */
export const deviceType = { CPU: 0, GPU: 1, IGPU: 2, ACCEL: 3 } as const;

/** The part of `ggml.h`, `ggml-backend.h` and `ggml-alloc.h` this engine uses. */
const table = {
  ggml_init: ['void*', 'ggml_init_params'],
  ggml_free: ['void', 'void*'],
  ggml_tensor_overhead: ['size_t'],
  ggml_graph_overhead_custom: ['size_t', 'size_t', 'bool'],
  ggml_is_empty: ['bool', 'uint8_t*'],
  ggml_nbytes: ['size_t', 'void*'],
  ggml_get_data: ['void*', 'void*'],
  ggml_row_size: ['size_t', 'int', 'int64'],
  ggml_quantize_chunk: ['size_t', 'int', 'float*', 'uint8_t*', 'int64', 'int64', 'int64', 'float*'],
  ggml_fp16_to_fp32_row: ['void', 'uint8_t*', 'float*', 'int64'],
  ggml_fp32_to_fp16_row: ['void', 'float*', 'uint8_t*', 'int64'],
  ggml_bf16_to_fp32_row: ['void', 'uint8_t*', 'float*', 'int64'],
  ggml_new_tensor_1d: ['void*', 'void*', 'int', 'int64'],
  ggml_new_tensor_2d: ['void*', 'void*', 'int', 'int64', 'int64'],
  ggml_view_2d: ['void*', 'void*', 'void*', 'int64', 'int64', 'size_t', 'size_t'],
  ggml_view_3d: ['void*', 'void*', 'void*', 'int64', 'int64', 'int64', 'size_t', 'size_t', 'size_t'],
  ggml_reshape_2d: ['void*', 'void*', 'void*', 'int64', 'int64'],
  ggml_permute: ['void*', 'void*', 'void*', 'int', 'int', 'int', 'int'],
  ggml_cont: ['void*', 'void*', 'void*'],
  ggml_cont_2d: ['void*', 'void*', 'void*', 'int64', 'int64'],
  ggml_cast: ['void*', 'void*', 'void*', 'int'],
  ggml_cpy: ['void*', 'void*', 'void*', 'void*'],
  ggml_concat: ['void*', 'void*', 'void*', 'void*', 'int'],
  ggml_add: ['void*', 'void*', 'void*', 'void*'],
  ggml_mul: ['void*', 'void*', 'void*', 'void*'],
  ggml_mul_mat: ['void*', 'void*', 'void*', 'void*'],
  ggml_custom_4d: [
    'void*',
    'void*',
    'int',
    'int64',
    'int64',
    'int64',
    'int64',
    'uint64_t*',
    'int',
    'void*',
    'int',
    'void*',
  ],
  ggml_norm: ['void*', 'void*', 'void*', 'float'],
  ggml_gelu: ['void*', 'void*', 'void*'],
  ggml_gelu_erf: ['void*', 'void*', 'void*'],
  ggml_soft_max_ext: ['void*', 'void*', 'void*', 'void*', 'float', 'float'],
  ggml_flash_attn_ext: ['void*', 'void*', 'void*', 'void*', 'void*', 'void*', 'float', 'float', 'float'],
  ggml_rope_multi: [
    'void*',
    'void*',
    'void*',
    'void*',
    'void*',
    'int',
    'int*',
    'int',
    'int',
    'float',
    'float',
    'float',
    'float',
    'float',
    'float',
  ],
  ggml_set_input: ['void', 'void*'],
  ggml_set_output: ['void', 'void*'],
  ggml_new_graph_custom: ['void*', 'void*', 'size_t', 'bool'],
  ggml_build_forward_expand: ['void', 'void*', 'void*'],
  ggml_gallocr_new: ['void*', 'void*'],
  ggml_gallocr_free: ['void', 'void*'],
  ggml_gallocr_reserve: ['bool', 'void*', 'void*'],
  ggml_gallocr_alloc_graph: ['bool', 'void*', 'void*'],
  ggml_gallocr_get_buffer_size: ['size_t', 'void*', 'int'],

  ggml_backend_alloc_ctx_tensors_from_buft: ['void*', 'void*', 'void*'],
  ggml_backend_buffer_free: ['void', 'void*'],
  ggml_backend_buffer_get_size: ['size_t', 'void*'],
  ggml_backend_buft_name: ['str', 'void*'],
  ggml_backend_tensor_set: ['void', 'void*', 'uint8_t*', 'size_t', 'size_t'],
  ggml_backend_tensor_get: ['void', 'void*', 'uint8_t*', 'size_t', 'size_t'],
  ggml_backend_dev_count: ['size_t'],
  ggml_backend_dev_get: ['void*', 'size_t'],
  ggml_backend_dev_by_type: ['void*', 'int'],
  ggml_backend_dev_type: ['int', 'void*'],
  ggml_backend_dev_name: ['str', 'void*'],
  ggml_backend_dev_description: ['str', 'void*'],
  ggml_backend_dev_init: ['void*', 'void*', 'str'],
  ggml_backend_dev_backend_reg: ['void*', 'void*'],
  ggml_backend_reg_get_proc_address: ['void*', 'void*', 'str'],
  ggml_threadpool_params_default: ['ggml_threadpool_params', 'int'],
  ggml_backend_name: ['str', 'void*'],
  ggml_backend_free: ['void', 'void*'],
  ggml_backend_get_device: ['void*', 'void*'],
  ggml_backend_get_default_buffer_type: ['void*', 'void*'],
  ggml_backend_supports_op: ['bool', 'void*', 'void*'],
  ggml_backend_graph_compute: ['int', 'void*', 'void*'],
  ggml_backend_synchronize: ['void', 'void*'],
} as const satisfies NativeTable;

export type Ggml = Bound<typeof table>;

export function bindGgml(libraries: NativeLibraries): Ggml {
  return bind(table, [libraries.base, libraries.ggml]);
}
