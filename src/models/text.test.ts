import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Edit, temporaryFolder, writeText } from '../../test/helpers/gguf.ts';
import { readGgufHeader } from './ggufHeader.ts';
import { readText } from './text.ts';

async function text(edit: Edit = {}) {
  return readText(await readGgufHeader(await writeText(join(await temporaryFolder(), 'model.gguf'), edit)));
}

const key = (name: string, value: NonNullable<Edit['metadata']>[string]): Edit => ({
  metadata: { [name]: value },
});

test('reads what lies above the native engine', async () => {
  expect(await text()).toEqual({
    architecture: 'qwen3vl',
    contextTokens: 128,
    embeddingLength: 64,
    blockCount: 2,
    deepstackLayers: 1,
    kvBytesPerToken: 2 * 2 * (1 * 32) * 2,
    kvHeadSize: 32,
    chatTemplate: '{{ messages }}',
  });
});

test('without the DeepStack key there are no such layers; a model in one part is no split model', async () => {
  const edit = { metadata: { 'qwen3vl.n_deepstack_layers': undefined, 'split.count': { u32: 1 } } };
  expect(await text(edit)).toMatchObject({ deepstackLayers: 0 });
});

test('reads the keys of the mixture-of-experts architecture under its own name', async () => {
  const moe = Object.fromEntries(
    [
      'block_count',
      'embedding_length',
      'attention.head_count',
      'attention.head_count_kv',
      'context_length',
    ].map((name) => [`qwen3vlmoe.${name}`, { u32: name === 'embedding_length' ? 64 : 1 }]),
  );
  const edit = { metadata: { ...moe, 'general.architecture': 'qwen3vlmoe' } };
  expect(await text(edit)).toMatchObject({ architecture: 'qwen3vlmoe', blockCount: 1, deepstackLayers: 0 });
});

test.each(['llama', 'clip', 'qwen3vl\n'])('an architecture other than ours: %j', async (architecture) => {
  await expect(text(key('general.architecture', architecture))).rejects.toMatchObject({
    code: 'model_architecture_unsupported',
    details: { architecture: architecture.replace('\n', '?'), supported: 'qwen3vl and qwen3vlmoe' },
  });
});

test.each<[field: string, edit: Edit, problem: string]>([
  ['general.architecture', key('general.architecture', undefined), 'missing'],
  ['split.count', key('split.count', { u32: 3 }), '3: split models are not supported'],
  ['qwen3vl.block_count', key('qwen3vl.block_count', { u32: 0 }), '0, a number from 1'],
  ['qwen3vl.embedding_length', key('qwen3vl.embedding_length', undefined), 'missing'],
  ['qwen3vl.context_length', key('qwen3vl.context_length', { u32: 2 ** 31 }), '2147483648, a number from 1'],
  ['qwen3vl.attention.head_count', key('qwen3vl.attention.head_count', { u32: 0 }), '0, a number from 1'],
  [
    'qwen3vl.attention.head_count_kv',
    key('qwen3vl.attention.head_count_kv', { u32: 3 }),
    'does not divide 2 heads',
  ],
  ['qwen3vl.n_deepstack_layers', key('qwen3vl.n_deepstack_layers', { u32: 3 }), '3, a number from 0 to 2'],
  ['tokenizer.chat_template', key('tokenizer.chat_template', undefined), 'missing'],
  ['tokenizer.chat_template', key('tokenizer.chat_template', ''), 'not a text, or empty'],
  ['tokenizer.ggml.tokens', key('tokenizer.ggml.tokens', { strings: [] }), 'missing or empty'],
  [
    'tensor token_embd.weight',
    key('tokenizer.ggml.tokens', { strings: ['a'] }),
    'of shape 64x8, expected 64x1',
  ],
  ['tensor token_embd.weight', { tensors: (tensors) => tensors.slice(1) }, 'missing'],
])('%s is refused when wrong (%#)', async (field, edit, problem) => {
  const error = await text(edit).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'model_metadata_invalid', details: { field } });
  expect(error.details.problem).toContain(problem);
});
