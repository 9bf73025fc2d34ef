import { failure } from '../core/errors.ts';
import type { GgufHeader } from './ggufHeader.ts';
import { integerField, invalidField, textField } from './metadataFields.ts';
import { printable } from './printable.ts';

const architectures = ['qwen3vl', 'qwen3vlmoe'] as const;
export type TextArchitecture = (typeof architectures)[number];

/** What the parts above the native engine need to know of a text model. */
export interface TextHyperparameters {
  readonly architecture: TextArchitecture;
  /** Longest context the model was made for. */
  readonly contextTokens: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  /** DeepStack features it adds per image token; the key may be left out and then means none. */
  readonly deepstackLayers: number;
  /** Bytes one token takes in an f16 KV cache: 2 (K and V) x layers x KV heads x head size x 2. */
  readonly kvBytesPerToken: number;
  /** Values of one key or value of one head. */
  readonly kvHeadSize: number;
  /** Jinja source. */
  readonly chatTemplate: string;
}

const width = { min: 1, max: 65_536 };
const count = { min: 1, max: 1024 };

function readArchitecture(header: GgufHeader): TextArchitecture {
  const name = textField(header, 'general.architecture');
  const architecture = architectures.find((supported) => supported === name);
  if (architecture !== undefined) return architecture;
  throw failure('model_architecture_unsupported', {
    path: header.path,
    architecture: printable(name),
    supported: architectures.join(' and '),
  });
}

function refuseSplit(header: GgufHeader): void {
  if (!header.metadata.has('split.count')) return;
  const parts = integerField(header, 'split.count', { min: 0, max: 65_535 });
  if (parts > 1) {
    const problem = `${parts}: split models are not supported, join the parts with llama-gguf-split --merge`;
    throw invalidField(header, 'split.count', problem);
  }
}

function readKvHeads(
  header: GgufHeader,
  architecture: TextArchitecture,
  embeddingLength: number,
): { heads: number; size: number } {
  const heads = integerField(header, `${architecture}.attention.head_count`, count);
  const kvKey = `${architecture}.attention.head_count_kv`;
  const kvHeads = integerField(header, kvKey, count);
  if (heads % kvHeads !== 0)
    throw invalidField(header, kvKey, `${kvHeads}, which does not divide ${heads} heads`);
  const sizeKey = `${architecture}.attention.key_length`;
  const headSize = header.metadata.has(sizeKey)
    ? integerField(header, sizeKey, width)
    : embeddingLength / heads;
  return { heads: kvHeads, size: headSize };
}

function checkVocabulary(header: GgufHeader, embeddingLength: number): void {
  const tokens = header.metadata.get('tokenizer.ggml.tokens');
  if (!Array.isArray(tokens) || tokens.length === 0) {
    throw invalidField(header, 'tokenizer.ggml.tokens', 'missing or empty');
  }
  const name = 'token_embd.weight';
  const expected = `${embeddingLength}x${tokens.length}`;
  const actual = header.tensors.get(name)?.shape.join('x');
  if (actual === undefined) throw invalidField(header, `tensor ${name}`, 'missing');
  if (actual !== expected) {
    throw invalidField(header, `tensor ${name}`, `of shape ${actual}, expected ${expected}`);
  }
}

/**
 * The per-layer tensors are left to the native loader, which names the first one that is missing.
 * @throws AfterimageError model_architecture_unsupported, model_metadata_invalid
 */
export function readText(header: GgufHeader): TextHyperparameters {
  refuseSplit(header);
  const architecture = readArchitecture(header);
  const blockCount = integerField(header, `${architecture}.block_count`, count);
  const embeddingLength = integerField(header, `${architecture}.embedding_length`, width);
  const deepstackKey = `${architecture}.n_deepstack_layers`;
  const kv = readKvHeads(header, architecture, embeddingLength);
  checkVocabulary(header, embeddingLength);
  return {
    architecture,
    contextTokens: integerField(header, `${architecture}.context_length`, { min: 1, max: 2 ** 24 }),
    embeddingLength,
    blockCount,
    kvBytesPerToken: 2 * blockCount * kv.heads * kv.size * 2,
    kvHeadSize: kv.size,
    deepstackLayers: header.metadata.has(deepstackKey)
      ? integerField(header, deepstackKey, { min: 0, max: blockCount })
      : 0,
    chatTemplate: textField(header, 'tokenizer.chat_template'),
  };
}
