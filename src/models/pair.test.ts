import { copyFile, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { type Edit, temporaryFolder, tinyShape, writeText, writeVision } from '../../test/helpers/gguf.ts';
import { resolveModelPair } from './pair.ts';

async function folderWith(files: Readonly<Record<string, Edit>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, edit] of Object.entries(files)) {
    const write = name.includes('mmproj') ? writeVision : writeText;
    await write(join(folder, name), edit);
  }
  return folder;
}

const wide: Edit = { shape: { ...tinyShape, hidden: 96 } };
const deep: Edit = { shape: { ...tinyShape, vision: { ...tinyShape.vision, deepstackLayers: [0, 1] } } };

test('nothing given: the embedded pair', async () => {
  const pair = await resolveModelPair();
  expect(pair).toMatchObject({
    name: 'Afterimage Tiny',
    architecture: 'qwen3vl',
    contextTokens: 2048,
    embeddingLength: 256,
    blockCount: 6,
    vision: {
      hidden: 192,
      layers: 6,
      heads: 3,
      projectionDim: 256,
      positionGridSide: 24,
      deepstackLayers: [1, 3],
    },
  });
  expect(pair.chatTemplate).toContain('<|vision_start|>');
  expect(pair.visionHeader.path).toBe(pair.mmprojPath);
  expect(pair.visionHeader.tensors.get('mm.2.bias')).toMatchObject({ bytes: 1024 });
});

test('both given, by relative paths', async () => {
  const folder = await folderWith({ 'model.gguf': {}, 'other/../eyes-mmproj.gguf': {} });
  const [model, mmproj] = [join(folder, 'model.gguf'), join(folder, 'eyes-mmproj.gguf')];
  const pair = await resolveModelPair({
    model: relative(process.cwd(), model),
    mmproj: relative(process.cwd(), mmproj),
  });
  expect(pair).toMatchObject({ name: 'Tiny', modelPath: model, mmprojPath: mmproj });
});

test('the name is the file name where the model has none, and safe to print', async () => {
  const folder = await folderWith({
    'nameless.gguf': { metadata: { 'general.name': undefined } },
    'rude.gguf': { metadata: { 'general.name': 'a\u001b[2Jb\nc' } },
    'mmproj.gguf': {},
  });
  const name = async (file: string) => (await resolveModelPair({ model: join(folder, file) })).name;
  expect(await name('nameless.gguf')).toBe('nameless');
  expect(await name('rude.gguf')).toBe('a?[2Jb?c');
});

test('only the model given: the one vision file beside it that fits', async () => {
  const folder = await folderWith({
    'model.gguf': {},
    'mmproj-wide.gguf': wide,
    'mmproj-deep.gguf': deep,
    'mine.mmproj-f16.gguf': {},
  });
  await writeFile(join(folder, 'mmproj-broken.gguf'), 'nothing');
  await writeFile(join(folder, 'mmproj-notes.txt'), 'nothing');
  const pair = await resolveModelPair({ model: join(folder, 'model.gguf') });
  expect(pair.mmprojPath).toBe(join(folder, 'mine.mmproj-f16.gguf'));
});

test('only the model given, and no vision file fits', async () => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj-wide.gguf': wide });
  const model = join(folder, 'model.gguf');
  await expect(resolveModelPair({ model })).rejects.toMatchObject({
    code: 'model_mmproj_missing',
    details: { path: model, expected: 'mmproj-model.gguf' },
  });
});

test('only the model given, and several vision files fit', async () => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj-a.gguf': {}, 'mmproj-b.gguf': {} });
  const error = await resolveModelPair({ model: join(folder, 'model.gguf') }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'model_mmproj_ambiguous' });
  expect(error.message).toContain('fit it: mmproj-a.gguf, mmproj-b.gguf. Choose one with --mmproj.');
});

test('only the model given, and the one candidate is damaged', async () => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': {} });
  const mmproj = join(folder, 'mmproj.gguf');
  await truncate(mmproj, 5000);
  await expect(resolveModelPair({ model: join(folder, 'model.gguf') })).rejects.toMatchObject({
    code: 'model_file_truncated',
    details: { path: mmproj, bytes: 5000 },
  });
});

test.each([
  ['width', wide, '96 x 2'],
  ['DeepStack layers', deep, '64 x 3'],
])('a vision file of another %s', async (_, edit, visionWidth) => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': edit });
  const [model, mmproj] = [join(folder, 'model.gguf'), join(folder, 'mmproj.gguf')];
  await expect(resolveModelPair({ model, mmproj })).rejects.toMatchObject({
    code: 'model_width_mismatch',
    details: { model, mmproj, visionWidth, textWidth: '64 x 2' },
  });
});

test('only the vision file given: it must fit the embedded model', async () => {
  const folder = await folderWith({ 'mmproj.gguf': {} });
  await expect(resolveModelPair({ mmproj: join(folder, 'mmproj.gguf') })).rejects.toMatchObject({
    code: 'model_width_mismatch',
    details: { textWidth: '256 x 3' },
  });
});

test.each<[projector: string, edit: Edit]>([
  ['qwen2vl_merger', { metadata: { 'clip.projector_type': 'qwen2vl_merger' } }],
  ['siglip (not clip)', { metadata: { 'general.architecture': 'siglip' } }],
])('a vision file with the projector %s', async (projector, edit) => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': edit });
  const mmproj = join(folder, 'mmproj.gguf');
  await expect(resolveModelPair({ model: join(folder, 'model.gguf'), mmproj })).rejects.toMatchObject({
    code: 'model_projector_unsupported',
    details: { path: mmproj, projector, supported: 'qwen3vl_merger' },
  });
});

test('the projector may be named for the vision encoder alone', async () => {
  const metadata = { 'clip.projector_type': undefined, 'clip.vision.projector_type': 'qwen3vl_merger' };
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': { metadata } });
  const pair = await resolveModelPair({ model: join(folder, 'model.gguf') });
  expect(pair.mmprojPath).toBe(join(folder, 'mmproj.gguf'));
});

test.each(['model.gguf', 'mmproj.gguf'])('%s other than its manifest says', async (changed) => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': {} });
  const files = { [changed]: { bytes: 1, sha256: '0'.repeat(64) } };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ format: 'afterimage-models/1', files }));
  await expect(resolveModelPair({ model: join(folder, 'model.gguf') })).rejects.toMatchObject({
    code: 'model_file_changed',
    details: { path: join(folder, changed) },
  });
});

test('files that are not there', async () => {
  const folder = await folderWith({ 'model.gguf': {} });
  const missing = join(folder, 'missing.gguf');
  await expect(resolveModelPair({ model: missing })).rejects.toMatchObject({ code: 'model_file_not_found' });
  const model = join(folder, 'model.gguf');
  await expect(resolveModelPair({ model, mmproj: missing })).rejects.toMatchObject({
    code: 'model_file_not_found',
    details: { path: missing },
  });
});

test('a text model as the vision file, and a vision file as the model', async () => {
  const folder = await folderWith({ 'model.gguf': {}, 'mmproj.gguf': {} });
  const [model, mmproj] = [join(folder, 'model.gguf'), join(folder, 'mmproj.gguf')];
  await copyFile(model, join(folder, 'copy.gguf'));
  await expect(resolveModelPair({ model, mmproj: join(folder, 'copy.gguf') })).rejects.toMatchObject({
    code: 'model_projector_unsupported',
    details: { projector: 'qwen3vl (not clip)' },
  });
  await expect(resolveModelPair({ model: mmproj })).rejects.toMatchObject({
    code: 'model_architecture_unsupported',
    details: { architecture: 'clip' },
  });
});
