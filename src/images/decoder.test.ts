import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { flat, fromPixels, noise, withPngChunk } from '../../test/pictures.ts';
import { failure } from '../core/errors.ts';
import { decoderFailure } from './decoder.ts';
import { takeImage } from './intake.ts';

type Color = readonly [number, number, number];

async function pixelAt(file: Uint8Array, x: number, y: number): Promise<number[]> {
  const { width, height, rgb } = await takeImage(file);
  expect(rgb.length).toBe(width * height * 3);
  return [...rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  const off = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
  expect(off, `${actual} should be ${expected} +- ${tolerance}`).toBeLessThanOrEqual(tolerance);
}

describe('EXIF orientation', () => {
  const corners = { TL: [255, 0, 0], TR: [0, 160, 0], BL: [0, 0, 255], BR: [255, 220, 0] } as const;
  type Corner = keyof typeof corners;
  const stored = fromPixels(
    48,
    32,
    Uint8Array.from({ length: 48 * 32 * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % 48, Math.floor(i / 144)];
      const corner = `${y < 16 ? 'T' : 'B'}${x < 24 ? 'L' : 'R'}` as Corner;
      return corners[corner][i % 3] as number;
    }),
  );

  /** What stands top left, top right, bottom left, bottom right once turned upright (TIFF 6.0, Orientation). */
  const upright: readonly (readonly [orientation: number, ...seen: [Corner, Corner, Corner, Corner]])[] = [
    [1, 'TL', 'TR', 'BL', 'BR'],
    [2, 'TR', 'TL', 'BR', 'BL'],
    [3, 'BR', 'BL', 'TR', 'TL'],
    [4, 'BL', 'BR', 'TL', 'TR'],
    [5, 'TL', 'BL', 'TR', 'BR'],
    [6, 'BL', 'TL', 'BR', 'TR'],
    [7, 'BR', 'TR', 'BL', 'TL'],
    [8, 'TR', 'BR', 'TL', 'BL'],
  ];

  test.each(upright)('%i', async (orientation, ...seen) => {
    const picture = stored.clone().withMetadata({ orientation });
    for (const file of [
      await picture.clone().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer(),
      await picture.clone().webp({ lossless: true }).toBuffer(),
      await picture.clone().png().toBuffer(),
    ]) {
      const { width, height } = await takeImage(file);
      expect([width, height]).toEqual(orientation < 5 ? [48, 32] : [32, 48]);
      const places = [
        [4, 4],
        [width - 5, 4],
        [4, height - 5],
        [width - 5, height - 5],
      ] as const;
      for (const [i, [x, y]] of places.entries()) {
        expectNear(await pixelAt(file, x, y), corners[seen[i] as Corner], 4);
      }
    }
  });
});

describe('pixel formats become 8-bit sRGB', () => {
  const color: Color = [180, 90, 40];

  test('16-bit PNG', async () => {
    const deep = new Uint16Array(16 * 16 * 3).map((_, i) => (color[i % 3] as number) * 257);
    const png = await fromPixels(16, 16, deep).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    expect(await pixelAt(png, 5, 5)).toEqual(color);
  });

  test('gray, 8 and 16 bits', async () => {
    const gray = flat(16, 16, [77]).toColourspace('b-w');
    const png = await gray.clone().png().toBuffer();
    expect((await sharp(png).metadata()).channels).toBe(1);
    expect(await pixelAt(png, 5, 5)).toEqual([77, 77, 77]);
    const deep = await flat(16, 16, [77]).toColourspace('grey16').png().toBuffer();
    expect((await sharp(deep).metadata()).space).toBe('grey16');
    expect(await pixelAt(deep, 5, 5)).toEqual([77, 77, 77]);
    expect(await pixelAt(await gray.clone().jpeg({ quality: 100 }).toBuffer(), 5, 5)).toEqual([77, 77, 77]);
  });

  test('palette, opaque and with transparency, which lands on white', async () => {
    const opaque = await flat(16, 16, color).png({ palette: true }).toBuffer();
    expect((await sharp(opaque).metadata()).isPalette).toBe(true);
    expect(await pixelAt(opaque, 5, 5)).toEqual(color);
    const clear = await flat(16, 16, [...color, 0])
      .png({ palette: true })
      .toBuffer();
    expect((await sharp(clear).metadata()).isPalette).toBe(true);
    expect(await pixelAt(clear, 5, 5)).toEqual([255, 255, 255]);
  });

  test('half transparent pixels are mixed with white', async () => {
    const mixed = color.map((value) => (value * 128 + 255 * 127) / 255);
    const half = flat(16, 16, [...color, 128]);
    expectNear(await pixelAt(await half.clone().png().toBuffer(), 5, 5), mixed, 1);
    expectNear(await pixelAt(await half.clone().webp({ lossless: true }).toBuffer(), 5, 5), mixed, 1);
    expectNear(await pixelAt(await half.clone().avif({ lossless: true }).toBuffer(), 5, 5), mixed, 2);
    expectNear(await pixelAt(await half.clone().toColourspace('rgb16').png().toBuffer(), 5, 5), mixed, 2);
    const grayAlpha = await flat(16, 16, [100, 128]).toColourspace('b-w').png().toBuffer();
    expect((await sharp(grayAlpha).metadata()).channels).toBe(2);
    expectNear(await pixelAt(grayAlpha, 5, 5), [177, 177, 177], 1);
  });

  test('CMYK JPEG', async () => {
    const printable: Color = [150, 120, 100];
    const cmyk = await flat(16, 16, printable).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    // The way to CMYK and back is lossy; inverted inks, the usual mistake, are off by 45.
    expectNear(await pixelAt(cmyk, 5, 5), printable, 12);
  });

  test('WebP, AVIF and still GIF, opaque and transparent', async () => {
    expectNear(await pixelAt(await flat(16, 16, color).webp({ quality: 100 }).toBuffer(), 5, 5), color, 4);
    expectNear(await pixelAt(await flat(16, 16, color).avif({ quality: 90 }).toBuffer(), 5, 5), color, 4);
    expectNear(await pixelAt(await flat(16, 16, color).gif().toBuffer(), 5, 5), color, 1);
    expect(
      await pixelAt(
        await flat(16, 16, [...color, 0])
          .gif()
          .toBuffer(),
        5,
        5,
      ),
    ).toEqual([255, 255, 255]);
  });
});

describe('ICC profile', () => {
  const color: Color = [230, 40, 30];

  test.each(['srgb', 'rgb16'])('Display P3 in %s samples is converted', async (space) => {
    const tagged = await flat(16, 16, color).toColourspace(space).withIccProfile('p3').png().toBuffer();
    const stored = await sharp(tagged).keepIccProfile().raw().toBuffer();
    expect(Math.abs((stored[1] as number) - color[1])).toBeGreaterThan(10);
    expectNear(await pixelAt(tagged, 5, 5), color, 3);
  });

  test('sRGB in 16-bit samples changes nothing', async () => {
    const tagged = await flat(16, 16, color).toColourspace('rgb16').withIccProfile('srgb').png().toBuffer();
    expectNear(await pixelAt(tagged, 5, 5), color, 1);
  });

  test('junk in its place does not hurt the picture', async () => {
    const jpeg = await flat(16, 16, color).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer();
    const junk = Buffer.concat([Buffer.from('\xff\xe2\0\x50ICC_PROFILE\0\x01\x01', 'latin1'), noise(64)]);
    const tagged = Buffer.concat([jpeg.subarray(0, 2), junk, jpeg.subarray(2)]);
    expectNear(await pixelAt(tagged, 5, 5), color, 4);
  });
});

test('trailing bytes and comments leave no trace in the digest', async () => {
  const png = await flat(16, 16, [1, 2, 3]).png().toBuffer();
  const { digest } = await takeImage(png);
  expect((await takeImage(Buffer.concat([png, Buffer.from('<html>PK\x03\x04')]))).digest).toBe(digest);
  expect((await takeImage(withPngChunk(png, 'tEXt', Buffer.from('Comment\0hello')))).digest).toBe(digest);
});

test('loaders that are not needed are blocked', async () => {
  const tiff = await flat(16, 16, [1, 2, 3]).tiff().toBuffer();
  await expect(sharp(tiff).metadata()).rejects.toThrow();
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>');
  await expect(sharp(svg).metadata()).rejects.toThrow();
  expect(sharp.concurrency()).toBe(1);
  expect(sharp.cache().memory.max).toBe(0);
});

describe('time', () => {
  test('the decoder has a deadline', async () => {
    const timeout = vi.spyOn(sharp.prototype, 'timeout');
    await takeImage(await flat(16, 16, [1, 2, 3]).png().toBuffer());
    expect(timeout).toHaveBeenCalledWith({ seconds: 5 });
    timeout.mockRestore();
  });

  test('what sharp throws at a deadline is recognised', async () => {
    const slow = flat(8000, 8000, [1, 2, 3]).median(45).timeout({ seconds: 1 }).raw().toBuffer();
    const error = await slow.catch((error) => error);
    expect(decoderFailure(error, 'PNG')).toEqual(failure('image_decode_timeout', { limitMs: 5000 }));
    expect(decoderFailure(new Error('any other'), 'PNG').code).toBe('image_damaged');
  });
});
