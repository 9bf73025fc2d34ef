import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { flat, fromPixels, noise } from '../../test/pictures.ts';
import { failure } from '../core/errors.ts';
import { fitToModel } from './fitToModel.ts';
import { takeImage } from './intake.ts';
import { maxFileBytes } from './limits.ts';
import { imageSourceFromBytes, imageSourceFromFile } from './load.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'afterimage-load-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a file becomes a source of fitted pixels under the digest of the canonical ones', async () => {
  const png = await fromPixels(200, 150, noise(200 * 150 * 3))
    .png()
    .toBuffer();
  const path = join(folder, 'picture.of.any.name');
  await writeFile(path, png);
  const source = await imageSourceFromFile(path, 'auto');
  const image = await takeImage(png);
  const fitted = await fitToModel(image, 'auto');
  expect(source).toMatchObject({ digest: image.digest, width: 192, height: 160 });
  expect(Buffer.compare(await source.pixels(), fitted.rgb)).toBe(0);
  const fromBytes = await imageSourceFromBytes(png, 'auto');
  expect(fromBytes).toMatchObject({ digest: source.digest, width: 192, height: 160 });
});

test('the digest does not depend on the detail, the size does', async () => {
  const png = await flat(1000, 800, [1, 2, 3]).png().toBuffer();
  const low = await imageSourceFromBytes(png, 'low');
  const high = await imageSourceFromBytes(png, 'high');
  expect(low.digest).toBe(high.digest);
  expect(low.width).toBeLessThan(high.width);
});

test('a missing file, also below something that is no folder', async () => {
  const missing = join(folder, 'missing.png');
  await expect(imageSourceFromFile(missing, 'auto')).rejects.toThrow(
    failure('image_not_found', { path: missing }),
  );
  await writeFile(join(folder, 'file'), 'x');
  const below = join(folder, 'file', 'picture.png');
  await expect(imageSourceFromFile(below, 'auto')).rejects.toMatchObject({ code: 'image_not_found' });
});

test('a folder cannot be read', async () => {
  const expected = failure('image_not_readable', { path: folder, reason: 'it is a folder' });
  await expect(imageSourceFromFile(folder, 'auto')).rejects.toThrow(expected);
});

test('an empty file', async () => {
  const path = join(folder, 'empty.png');
  await writeFile(path, '');
  await expect(imageSourceFromFile(path, 'auto')).rejects.toThrow(failure('image_empty', {}));
});

test('a file over the limit is refused by its size, unread', async () => {
  const path = join(folder, 'large.png');
  await writeFile(path, '');
  await truncate(path, maxFileBytes + 1);
  const expected = failure('image_file_too_large', { bytes: maxFileBytes + 1, limit: maxFileBytes });
  await expect(imageSourceFromFile(path, 'auto')).rejects.toThrow(expected);
  await truncate(path, 1e12);
  await expect(imageSourceFromFile(path, 'auto')).rejects.toMatchObject({ details: { bytes: 1e12 } });
});

test.skipIf(process.platform === 'win32')('an endless file is read no further than the limit', async () => {
  const expected = failure('image_file_too_large', { bytes: `over ${maxFileBytes}`, limit: maxFileBytes });
  await expect(imageSourceFromFile('/dev/zero', 'auto')).rejects.toThrow(expected);
});

test('what is wrong with the content is passed on', async () => {
  const path = join(folder, 'notes.png');
  await writeFile(path, 'not a picture');
  await expect(imageSourceFromFile(path, 'auto')).rejects.toThrow(failure('image_format_unknown', {}));
});
