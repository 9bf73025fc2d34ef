import { failure } from '../core/errors.ts';
import { nativeRelease } from './libraries.ts';
import type { Llama } from './llama.ts';

/**
 * Default parameters of llama.cpp v0.5.0, field by field. A struct read with a wrong layout shows up here as a wrong
 * value before it could corrupt anything: the pattern of -1, 0, 1 and 512 shifts with every added or removed field.
 */
const expectedModelParams = {
  devices: null,
  tensor_buft_overrides: null,
  n_gpu_layers: -1,
  split_mode: 1,
  load_mode: -1,
  lazy_mode: 1,
  main_gpu: 0,
  tensor_split: null,
  progress_callback: null,
  progress_callback_user_data: null,
  kv_overrides: null,
  vocab_only: false,
  check_tensors: false,
  use_extra_bufts: true,
  no_host: false,
  no_alloc: false,
  load_mtp: false,
};

const expectedContextParams = {
  n_ctx: 512,
  n_batch: 2048,
  n_ubatch: 512,
  n_seq_max: 1,
  n_rs_seq: 0,
  n_outputs_max: 0,
  n_outputs_max_per_seq: 1,
  n_threads: 4,
  n_threads_batch: 4,
  ctx_type: 0,
  rope_scaling_type: -1,
  pooling_type: -1,
  attention_type: -1,
  flash_attn_type: -1,
  rope_freq_base: 0,
  rope_freq_scale: 0,
  yarn_ext_factor: -1,
  yarn_attn_factor: -1,
  yarn_beta_fast: -1,
  yarn_beta_slow: -1,
  yarn_orig_ctx: 0,
  defrag_thold: -1,
  cb_eval: null,
  cb_eval_user_data: null,
  type_k: 1,
  type_v: 1,
  abort_callback: null,
  abort_callback_data: null,
  embeddings: false,
  offload_kqv: true,
  no_perf: true,
  op_offload: true,
  swa_full: true,
  kv_unified: false,
  samplers: null,
  n_samplers: 0,
  ctx_other: null,
};

export function checkLayout(
  llama: Pick<Llama, 'llama_model_default_params' | 'llama_context_default_params'>,
): void {
  compare('llama_model_params', llama.llama_model_default_params(), expectedModelParams);
  compare('llama_context_params', llama.llama_context_default_params(), expectedContextParams);
}

function compare(struct: string, actual: Record<string, unknown>, expected: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(expected)) {
    if (actual[field] !== value) {
      throw failure('native_layout_mismatch', {
        release: nativeRelease,
        field: `${struct}.${field}`,
        actual: String(actual[field]),
        expected: String(value),
      });
    }
  }
}
