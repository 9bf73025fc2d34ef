import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { noise } from '../../test/pictures.ts';
import { resizeBicubic } from './bicubic.ts';
import { takeImage } from './intake.ts';

const golden = async (name: string) =>
  takeImage(await readFile(new URL(`../../test/fixtures/golden/${name}`, import.meta.url)));

test('the golden picture is equal in every pixel', async () => {
  const resized = await resizeBicubic(await golden('resize-500x333.png'), 512, 320);
  const expected = await golden('resize-500x333.to-512x320.bicubic.png');
  expect(Buffer.compare(resized, expected.rgb)).toBe(0);
});

/** SHA-256 of what Pillow 12.3.0 makes of `noise(width * height * 3)` with `resize((w, h), BICUBIC)`. */
test.each([
  [640, 427, 96, 64, '6c2d341811138220949039db9fc961406eeb7d22a6a9424bedc534d518d6bff0'],
  [37, 300, 64, 512, '1664464ca1ccb83526f3e83b2b909c105a45d010275ffd10c00e7b1551d915b1'],
  [200, 150, 192, 160, 'd68614083b14a7c35ad7f3bbc1c2299f2a1934790a5640f125409fef2d8f406e'],
  [97, 64, 96, 64, '48dfa7b56a21ec5033c6bbbde6246558f39c3958b07cbe578ebed0712a6f0e3e'],
  [64, 97, 64, 96, 'ed3b081a2d845905605292d1a54a630aa57a52ddabebd5e04fbd6b1a5f89ecbb'],
  [320, 320, 32, 32, '704a3622ff5fef8fbc5e3ecc0072f08cd1805ecbcdd1ea33c2392febacfad6fe'],
  [9, 9, 96, 96, '8877132022e4a9e79a2dc99e52eda9482e8138cab7581f67635379ad36cb8c82'],
  [400, 8, 640, 32, '07a2261842ecf302570b325b680e57df7b0ad0a468a2fd49ebea042858c56116'],
])('%ix%i to %ix%i is what Pillow makes', async (width, height, toWidth, toHeight, expected) => {
  const resized = await resizeBicubic({ width, height, rgb: noise(width * height * 3) }, toWidth, toHeight);
  expect(createHash('sha256').update(resized).digest('hex')).toBe(expected);
});

test('one colour stays that colour', async () => {
  const rgb = new Uint8Array(61 * 47 * 3).fill(251);
  for (const [width, height] of [
    [96, 32],
    [32, 96],
  ] as const) {
    // biome-ignore format: pairs
    const resized = await resizeBicubic({ width: 61, height: 47, rgb }, width, height);
    expect(resized.length).toBe(width * height * 3);
    expect(resized.every((value) => value === 251)).toBe(true);
  }
});

test('a 12-megapixel photo is resized in block-sized steps and the source is left alone', async () => {
  const rgb = noise(4000 * 3000 * 3);
  const before = createHash('sha256').update(rgb).digest('hex');
  let turns = 0;
  let running = true;
  const others = async () => {
    for (; running; turns++) await new Promise(setImmediate);
  };
  const counting = others();
  await resizeBicubic({ width: 4000, height: 3000, rgb }, 1312, 992);
  running = false;
  await counting;
  expect(turns).toBeGreaterThan(5);
  expect(createHash('sha256').update(rgb).digest('hex')).toBe(before);
});
