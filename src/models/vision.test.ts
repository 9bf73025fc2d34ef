import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Edit, temporaryFolder, writeVision } from '../../test/helpers/gguf.ts';
import { readGgufHeader } from './ggufHeader.ts';
import { readVision, towerShapes } from './vision.ts';

async function tower(edit: Edit = {}) {
  return readVision(
    await readGgufHeader(await writeVision(join(await temporaryFolder(), 'mmproj.gguf'), edit)),
  );
}

/** The tower with one f32 tensor of another shape. */
const resized = (name: string, shape: readonly number[]): Edit => ({
  tensors: (tensors) =>
    tensors.map((tensor) =>
      tensor.name === name
        ? { ...tensor, shape, bytes: shape.reduce((product, side) => product * side, 4) }
        : tensor,
    ),
});

test('reads the shape of the tower', async () => {
  expect(await tower()).toEqual({
    hidden: 32,
    layers: 2,
    heads: 2,
    feedForward: 32,
    projectionDim: 64,
    patchSize: 16,
    mergeSize: 2,
    positionGridSide: 4,
    layerNormEps: Math.fround(1e-6),
    deepstackLayers: [1],
    imageMean: [0.5, 0.5, 0.5],
    imageStd: [0.5, 0.5, 0.5],
  });
});

test('without the DeepStack key the tensors say which layers have a merger', async () => {
  const edit = { metadata: { 'clip.vision.is_deepstack_layers': undefined } };
  expect((await tower(edit)).deepstackLayers).toEqual([1]);
});

test('every tensor of the tower must be there', async () => {
  const all = [...towerShapes(await tower()).keys()];
  // The DeepStack flags speak first of the one tensor that stands for a merger.
  for (const name of all.filter((name) => name !== 'v.deepstack.1.fc1.weight')) {
    const without = tower({ tensors: (tensors) => tensors.filter((tensor) => tensor.name !== name) });
    await expect(without).rejects.toMatchObject({
      code: 'model_metadata_invalid',
      details: { field: `tensor ${name}`, problem: 'missing' },
    });
  }
});

test('a tensor of another shape', async () => {
  const widened = tower(resized('mm.2.bias', [65]));
  await expect(widened).rejects.toMatchObject({
    code: 'model_metadata_invalid',
    details: { field: 'tensor mm.2.bias', problem: 'of shape 65, expected 64' },
  });
});

test.each<[field: string, edit: Edit, problem: string]>([
  ['clip.vision.block_count', { metadata: { 'clip.vision.block_count': undefined } }, 'missing'],
  [
    'clip.vision.block_count',
    { metadata: { 'clip.vision.block_count': { u32: 100_000 } } },
    '100000, a number from 1 to 1024',
  ],
  [
    'clip.vision.embedding_length',
    { metadata: { 'clip.vision.embedding_length': { u32: 0 } } },
    '0, a number from 1',
  ],
  [
    'clip.vision.embedding_length',
    { metadata: { 'clip.vision.embedding_length': 'wide' } },
    'wide, a number from 1',
  ],
  [
    'clip.vision.embedding_length',
    { metadata: { 'clip.vision.embedding_length': { f32: 32.5 } } },
    '32.5, not a whole number',
  ],
  [
    'clip.vision.attention.head_count',
    { metadata: { 'clip.vision.attention.head_count': { u32: 0 } } },
    '0, a number from 1',
  ],
  [
    'clip.vision.attention.head_count',
    { metadata: { 'clip.vision.attention.head_count': { u32: 3 } } },
    'heads of 32 / 3',
  ],
  [
    'clip.vision.attention.head_count',
    { metadata: { 'clip.vision.attention.head_count': { u32: 16 } } },
    'no multiple of 4',
  ],
  [
    'clip.vision.attention.layer_norm_epsilon',
    { metadata: { 'clip.vision.attention.layer_norm_epsilon': { f32: Number.NaN } } },
    'NaN, a number from',
  ],
  [
    'clip.vision.image_mean',
    { metadata: { 'clip.vision.image_mean': { f32s: [0.5, 0.5] } } },
    'not a list of 3 numbers',
  ],
  [
    'clip.vision.image_std',
    { metadata: { 'clip.vision.image_std': { f32s: [0.5, 0.5, 0] } } },
    '0, a number from 0.001',
  ],
  [
    'clip.vision.is_deepstack_layers',
    { metadata: { 'clip.vision.is_deepstack_layers': { bools: [true] } } },
    'not a list of 2 truth values',
  ],
  [
    'clip.vision.is_deepstack_layers',
    { metadata: { 'clip.vision.is_deepstack_layers': { i32s: [0, 1] } } },
    'not a list of 2 truth values',
  ],
  [
    'clip.vision.is_deepstack_layers',
    { metadata: { 'clip.vision.is_deepstack_layers': { bools: [true, false] } } },
    '[0], but DeepStack tensors are there for layers [1]',
  ],
  [
    'tensor v.position_embd.weight',
    resized('v.position_embd.weight', [32, 8]),
    'of 8 positions, not a square grid',
  ],
])('%s is refused when wrong (%#)', async (field, edit, problem) => {
  const error = await tower(edit).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'model_metadata_invalid', details: { field } });
  expect(error.details.problem).toContain(problem);
});
