import { expect, test } from 'vitest';
import { noise } from '../../test/pictures.ts';
import { resizeBicubic } from './bicubic.ts';
import { imageDigest } from './digest.ts';
import { fitToModel } from './fitToModel.ts';

function canonical(width: number, height: number) {
  const rgb = noise(width * height * 3);
  return { digest: imageDigest(width, height, rgb), width, height, rgb };
}

test('a size that fits is not touched', async () => {
  const image = canonical(320, 256);
  const fitted = await fitToModel(image, 'auto');
  expect(fitted).toEqual({ width: 320, height: 256, rgb: image.rgb });
  expect(fitted.rgb).toBe(image.rgb);
});

test.each([
  ['low', 576, 416],
  ['auto', 1280, 960],
  ['high', 1280, 960],
  ['original', 1280, 960],
] as const)('detail %s brings 1280x960 to %ix%i', async (detail, width, height) => {
  const image = canonical(1280, 960);
  const fitted = await fitToModel(image, detail);
  expect(fitted).toMatchObject({ width, height });
  expect(fitted.rgb.length).toBe(width * height * 3);
});

test('pixels are those of the reference filter', async () => {
  const image = canonical(200, 150);
  const fitted = await fitToModel(image, 'auto');
  expect(fitted).toMatchObject({ width: 192, height: 160 });
  expect(Buffer.compare(fitted.rgb, await resizeBicubic(image, 192, 160))).toBe(0);
});

test('the smallest picture grows to the floor of 8 tokens', async () => {
  const { width, height } = await fitToModel(canonical(8, 8), 'low');
  expect([width, height]).toEqual([96, 96]);
});
