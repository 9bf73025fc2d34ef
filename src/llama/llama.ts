import './structs.ts';
import { type Bound, bind, type NativeTable } from './binding.ts';
import type { NativeLibraries } from './libraries.ts';

/** The part of `include/llama.h` this engine uses. */
const table = {
  llama_backend_init: ['void'],
  llama_print_system_info: ['str'],
  llama_supports_gpu_offload: ['bool'],

  llama_model_default_params: ['llama_model_params'],
  llama_model_load_from_file: ['void*', 'str', 'llama_model_params'],
  llama_model_free: ['void', 'void*'],
  llama_model_get_vocab: ['void*', 'void*'],
  llama_model_n_embd: ['int32', 'void*'],
  llama_model_n_embd_inp: ['int32', 'void*'],
  llama_model_n_ctx_train: ['int32', 'void*'],
  llama_model_n_params: ['int64', 'void*'],
  llama_model_size: ['int64', 'void*'],
  llama_model_desc: ['int32', 'void*', 'uint8_t*', 'size_t'],

  llama_vocab_n_tokens: ['int32', 'void*'],
  llama_vocab_get_attr: ['int32', 'void*', 'int32'],
  llama_vocab_get_text: ['str', 'void*', 'int32'],
  llama_vocab_is_eog: ['bool', 'void*', 'int32'],
  llama_tokenize: ['int32', 'void*', 'uint8_t*', 'int32', 'int32*', 'int32', 'bool', 'bool'],
  llama_token_to_piece: ['int32', 'void*', 'int32', 'uint8_t*', 'int32', 'int32', 'bool'],

  llama_context_default_params: ['llama_context_params'],
  llama_init_from_model: ['void*', 'void*', 'llama_context_params'],
  llama_free: ['void', 'void*'],
  llama_n_ctx: ['uint32', 'void*'],
  llama_n_batch: ['uint32', 'void*'],
  llama_n_seq_max: ['uint32', 'void*'],
  llama_attach_threadpool: ['void', 'void*', 'void*', 'void*'],
  llama_decode: ['int32', 'void*', 'llama_batch'],
  llama_get_logits_ith: ['void*', 'void*', 'int32'],

  llama_get_memory: ['void*', 'void*'],
  llama_memory_clear: ['void', 'void*', 'bool'],
  llama_memory_seq_rm: ['bool', 'void*', 'int32', 'int32', 'int32'],
  llama_memory_seq_cp: ['void', 'void*', 'int32', 'int32', 'int32', 'int32'],

  llama_state_seq_get_size: ['size_t', 'void*', 'int32'],
  llama_state_seq_get_data: ['size_t', 'void*', 'uint8_t*', 'size_t', 'int32'],
  llama_state_seq_set_data: ['size_t', 'void*', 'uint8_t*', 'size_t', 'int32'],

  llama_sampler_chain_default_params: ['llama_sampler_chain_params'],
  llama_sampler_chain_init: ['void*', 'llama_sampler_chain_params'],
  llama_sampler_chain_add: ['void', 'void*', 'void*'],
  llama_sampler_free: ['void', 'void*'],
  llama_sampler_accept: ['void', 'void*', 'int32'],
  llama_sampler_apply: ['void', 'void*', 'uint8_t*'],
  llama_sampler_sample: ['int32', 'void*', 'void*', 'int32'],
  llama_sampler_init_greedy: ['void*'],
  llama_sampler_init_dist: ['void*', 'uint32'],
  llama_sampler_init_top_k: ['void*', 'int32'],
  llama_sampler_init_top_p: ['void*', 'float', 'size_t'],
  llama_sampler_init_min_p: ['void*', 'float', 'size_t'],
  llama_sampler_init_temp: ['void*', 'float'],
  llama_sampler_init_penalties: ['void*', 'int32', 'int32', 'float', 'float', 'float'],
  llama_sampler_init_logit_bias: ['void*', 'int32', 'int32', 'uint8_t*'],
  llama_sampler_init_grammar: ['void*', 'void*', 'str', 'str'],
} as const satisfies NativeTable;

export type Llama = Bound<typeof table>;

export function bindLlama(libraries: NativeLibraries): Llama {
  return bind(table, [libraries.llama]);
}
