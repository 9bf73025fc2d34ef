import type { GgufHeader } from '../../src/models/ggufHeader.ts';
import type { GgufTensor, GgufValue } from './ggufWriter.ts';
import type { TileType } from './randomTile.ts';
import type { ModelShape } from './shapes.ts';
import type { TensorMaker } from './tensors.ts';

/** `LLAMA_FTYPE_*` and the token type `LLAMA_TOKEN_TYPE_UNUSED` of llama.h. */
const fileTypes: Readonly<Record<TileType, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 7 };
const unusedToken = 5;

function copied<Item extends string | number | boolean>(header: GgufHeader, key: string, type: string): Item {
  const value = header.metadata.get(key);
  if (typeof value !== type) throw new TypeError(`${key} of ${header.path} is no ${type}`);
  return value as Item;
}

function copiedList<Item extends string | number>(header: GgufHeader, key: string, type: string): Item[] {
  const value = header.metadata.get(key);
  if (!Array.isArray(value) || value.some((item) => typeof item !== type)) {
    throw new TypeError(`${key} of ${header.path} is no list of ${type}s`);
  }
  return [...value];
}

/** The donor's tokenizer and chat template, its tokens padded to `size` with unused ones. */
function tokenizer(donor: GgufHeader, size: number): Record<string, GgufValue> {
  const tokens = copiedList<string>(donor, 'tokenizer.ggml.tokens', 'string');
  const types = copiedList<number>(donor, 'tokenizer.ggml.token_type', 'number');
  for (let id = tokens.length; id < size; id++) {
    tokens.push(`[PAD${id}]`);
    types.push(unusedToken);
  }
  return {
    'tokenizer.ggml.model': copied<string>(donor, 'tokenizer.ggml.model', 'string'),
    'tokenizer.ggml.pre': copied<string>(donor, 'tokenizer.ggml.pre', 'string'),
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.merges': { strings: copiedList<string>(donor, 'tokenizer.ggml.merges', 'string') },
    'tokenizer.ggml.eos_token_id': { u32: copied<number>(donor, 'tokenizer.ggml.eos_token_id', 'number') },
    'tokenizer.ggml.padding_token_id': {
      u32: copied<number>(donor, 'tokenizer.ggml.padding_token_id', 'number'),
    },
    'tokenizer.ggml.bos_token_id': { u32: copied<number>(donor, 'tokenizer.ggml.bos_token_id', 'number') },
    'tokenizer.ggml.add_bos_token': copied<boolean>(donor, 'tokenizer.ggml.add_bos_token', 'boolean'),
    'tokenizer.chat_template': copied<string>(donor, 'tokenizer.chat_template', 'string'),
  };
}

/** Metadata of the text file; `donor` is the header of the model whose tokenizer it takes. */
export function textMetadata(shape: ModelShape, name: string, type: TileType, donor: GgufHeader) {
  const { experts } = shape;
  const architecture = experts ? 'qwen3vlmoe' : 'qwen3vl';
  const hyperparameters: Record<string, GgufValue> = {
    block_count: { u32: shape.layers },
    context_length: { u32: shape.contextTokens },
    embedding_length: { u32: shape.hidden },
    feed_forward_length: { u32: shape.feedForward },
    'attention.head_count': { u32: shape.heads },
    'attention.head_count_kv': { u32: shape.kvHeads },
    'attention.key_length': { u32: shape.headSize },
    'attention.value_length': { u32: shape.headSize },
    'attention.layer_norm_rms_epsilon': { f32: 1e-6 },
    'rope.freq_base': { f32: 5_000_000 },
    'rope.dimension_sections': { i32s: [...shape.ropeSections, 0] },
    n_deepstack_layers: { u32: shape.vision.deepstackLayers.length },
    vocab_size: { u32: shape.vocabulary },
    ...(experts && {
      expert_count: { u32: experts.count },
      expert_used_count: { u32: experts.used },
      expert_feed_forward_length: { u32: experts.feedForward },
    }),
  };
  return {
    'general.architecture': architecture,
    'general.type': 'model',
    'general.name': name,
    'general.file_type': { u32: fileTypes[type] },
    'general.quantization_version': { u32: 2 },
    ...Object.fromEntries(
      Object.entries(hyperparameters).map(([key, value]) => [`${architecture}.${key}`, value]),
    ),
    ...tokenizer(donor, shape.vocabulary),
  } satisfies Record<string, GgufValue>;
}

export function textTensors(shape: ModelShape, type: TileType, make: TensorMaker): GgufTensor[] {
  const { hidden, feedForward, headSize, vocabulary, experts } = shape;
  const queryWidth = shape.heads * headSize;
  const kvWidth = shape.kvHeads * headSize;
  const matrix = (name: string, input: number, output: number) => make.random(name, [input, output], type);
  const norm = (name: string, size: number) => make.constant(name, size, 1);

  const tensors = [matrix('token_embd.weight', hidden, vocabulary), norm('output_norm.weight', hidden)];
  if (!shape.tied) tensors.push(matrix('output.weight', hidden, vocabulary));
  for (let layer = 0; layer < shape.layers; layer++) {
    const block = `blk.${layer}`;
    tensors.push(
      norm(`${block}.attn_norm.weight`, hidden),
      matrix(`${block}.attn_q.weight`, hidden, queryWidth),
      matrix(`${block}.attn_k.weight`, hidden, kvWidth),
      matrix(`${block}.attn_v.weight`, hidden, kvWidth),
      matrix(`${block}.attn_output.weight`, queryWidth, hidden),
      norm(`${block}.attn_q_norm.weight`, headSize),
      norm(`${block}.attn_k_norm.weight`, headSize),
      norm(`${block}.ffn_norm.weight`, hidden),
    );
    const feedForwardOf = (kind: 'gate' | 'up' | 'down', input: number, output: number) =>
      experts
        ? make.random(`${block}.ffn_${kind}_exps.weight`, [input, output, experts.count], type)
        : matrix(`${block}.ffn_${kind}.weight`, input, output);
    const inner = experts?.feedForward ?? feedForward;
    if (experts) tensors.push(make.random(`${block}.ffn_gate_inp.weight`, [hidden, experts.count], 'f32'));
    tensors.push(
      feedForwardOf('gate', hidden, inner),
      feedForwardOf('up', hidden, inner),
      feedForwardOf('down', inner, hidden),
    );
  }
  return tensors;
}
