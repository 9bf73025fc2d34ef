import { describe, expect, test } from 'vitest';
import { flat, fromPixels, noise, pngDeclaring, withPngChunk } from '../../test/pictures.ts';
import { failure } from '../core/errors.ts';
import { declaredSizes } from './declaredSize.ts';
import { takeImage } from './intake.ts';
import { maxFileBytes, maxImagePixels } from './limits.ts';

const photo = () => fromPixels(64, 48, noise(64 * 48 * 3)).blur(2);

describe('what is wrong with the bytes', () => {
  test('empty', async () => {
    await expect(takeImage(new Uint8Array())).rejects.toThrow(failure('image_empty', {}));
  });

  test('one byte over the file limit; exactly at it only the content counts', async () => {
    const tooLarge = failure('image_file_too_large', { bytes: maxFileBytes + 1, limit: maxFileBytes });
    await expect(takeImage(new Uint8Array(maxFileBytes + 1))).rejects.toThrow(tooLarge);
    await expect(takeImage(new Uint8Array(maxFileBytes))).rejects.toThrow(
      failure('image_format_unknown', {}),
    );
  });

  test('a format that is not taken', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>');
    await expect(takeImage(svg)).rejects.toThrow(failure('image_format_unsupported', { format: 'SVG' }));
  });

  test.each(['JPEG', 'PNG', 'WebP', 'AVIF', 'GIF'] as const)('%s cut short', async (format) => {
    const file = await photo()
      .toFormat(format.toLowerCase() as 'jpeg')
      .toBuffer();
    for (const share of [0.3, 0.6, 0.9]) {
      const cut = file.subarray(0, Math.floor(file.length * share));
      const error = await takeImage(cut).catch((error) => error);
      expect(error).toEqual(failure('image_damaged', { format }));
      // The decoder's own words stay behind.
      expect(error.cause).toBeUndefined();
    }
  });

  test('a JPEG without its end marker: nothing tells it from one that lacks pixels', async () => {
    const damaged = failure('image_damaged', { format: 'JPEG' });
    for (const progressive of [false, true]) {
      for (const chromaSubsampling of ['4:2:0', '4:4:4']) {
        const file = await photo().jpeg({ progressive, chromaSubsampling }).toBuffer();
        for (let missing = 1; missing < 400; missing += 1) {
          await expect(takeImage(file.subarray(0, -missing))).rejects.toThrow(damaged);
        }
      }
    }
  });

  test('a flipped bit under a checksum', async () => {
    const png = await photo().png().toBuffer();
    png[png.length >> 1] = (png[png.length >> 1] as number) ^ 4;
    await expect(takeImage(png)).rejects.toThrow(failure('image_damaged', { format: 'PNG' }));
  });
});

describe('animation', () => {
  const strip = (frames: number) => {
    const pixels = noise(16 * 16 * frames * 3);
    return fromPixels(16, 16 * frames, pixels, 16);
  };

  test('GIF and WebP with two frames are refused, with one they are pictures', async () => {
    const animated = (format: string) => failure('image_animated', { format });
    await expect(takeImage(await strip(2).gif().toBuffer())).rejects.toThrow(animated('GIF'));
    await expect(takeImage(await strip(2).webp().toBuffer())).rejects.toThrow(animated('WebP'));
    expect(await takeImage(await strip(1).gif().toBuffer())).toMatchObject({ width: 16, height: 16 });
    expect(await takeImage(await strip(1).webp().toBuffer())).toMatchObject({ width: 16, height: 16 });
  });

  test('APNG is refused', async () => {
    const apng = withPngChunk(await photo().png().toBuffer(), 'acTL', Buffer.from([0, 0, 0, 3, 0, 0, 0, 0]));
    await expect(takeImage(apng)).rejects.toThrow(failure('image_animated', { format: 'PNG' }));
  });
});

describe('declared size', () => {
  const code = async (width: number, height: number) => {
    const error = await takeImage(pngDeclaring(width, height)).catch((error) => error);
    return error.code;
  };

  // The header's claim is all these files have: a size within the limits fails later, for lack of pixels.
  test.each([
    [8, 8, 'image_damaged'],
    [7, 8, 'image_too_small'],
    [8, 7, 'image_too_small'],
    [1, 1, 'image_too_small'],
    [8192, 164, 'image_damaged'],
    [8193, 400, 'image_too_large'],
    [400, 8193, 'image_too_large'],
    [8, 400, 'image_damaged'],
    [8, 401, 'image_aspect_ratio'],
    [401, 8, 'image_aspect_ratio'],
    [8192, 163, 'image_aspect_ratio'],
    [4096, 4096, 'image_damaged'],
    [4096, 4097, 'image_too_many_pixels'],
    [52_800, 44, 'image_too_large'],
    [268_435_496, 44, 'image_too_large'],
    [44, 4_294_967_295, 'image_too_large'],
    [8192, 8192, 'image_too_many_pixels'],
  ])('%ix%i: %s', async (width, height, expected) => {
    expect(await code(width, height)).toBe(expected);
  });

  test('an AVIF of a side that no decoder would count is refused for it', async () => {
    const avif = await photo().avif().toBuffer();
    const ispe = avif.indexOf('ispe');
    const meta = avif.indexOf('meta') - 4;
    const longBox = Buffer.from('00000001667265650000000000000010', 'hex');
    for (const offset of [4, 8]) {
      const hostile = Buffer.from(avif);
      hostile.writeUInt32BE(0x1000_0028, ispe + 4 + offset);
      await expect(takeImage(hostile)).rejects.toMatchObject({ code: 'image_too_large' });
      const behind = Buffer.concat([hostile.subarray(0, meta), longBox, hostile.subarray(meta)]);
      await expect(takeImage(behind)).rejects.toMatchObject({ code: 'image_too_large' });
    }
  });

  test('an AVIF of a million boxes is refused before the decoder sees it', async () => {
    const avif = await photo().avif().toBuffer();
    const meta = avif.indexOf('meta') - 4;
    const boxes = Buffer.alloc(8_000_000);
    for (let at = 0; at < boxes.length; at += 8) boxes.set([0, 0, 0, 8], at);
    const bomb = Buffer.concat([avif.subarray(0, meta), boxes, avif.subarray(meta)]);
    // The decoder would refuse it as well.
    expect(() => declaredSizes(bomb, 'AVIF')).toThrow(failure('image_damaged', { format: 'AVIF' }));
    await expect(takeImage(bomb)).rejects.toThrow(failure('image_damaged', { format: 'AVIF' }));
  });

  test('the message says the limit and the actual value', async () => {
    await expect(takeImage(pngDeclaring(8000, 4000))).rejects.toThrow(
      `The picture is 8000x4000 = 32000000 px, the limit is ${maxImagePixels} px.`,
    );
  });

  test('a decompression bomb costs no pixel', async () => {
    await takeImage(pngDeclaring(7, 7)).catch(() => 'the decoder is loaded now');
    const before = process.resourceUsage().maxRSS;
    const started = performance.now();
    expect(await code(16_384, 16_384)).toBe('image_too_large');
    expect(performance.now() - started).toBeLessThan(100);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(20 * 1024);
  });

  test('the smallest and the thinnest picture are taken', async () => {
    expect(await takeImage(await flat(8, 8, [9, 9, 9]).png().toBuffer())).toMatchObject({
      width: 8,
      height: 8,
    });
    const strip = await takeImage(await flat(400, 8, [9, 9, 9]).png().toBuffer());
    expect(strip).toMatchObject({ width: 400, height: 8 });
  });

  test('the sides in a message are those one sees: orientation is applied', async () => {
    const turned = await flat(401, 8, [9, 9, 9]).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    await expect(takeImage(turned)).rejects.toThrow('The picture is 8x401 px, one side');
  });
});

test('the digest follows the seen pixels, not the file', async () => {
  const picture = flat(20, 16, [10, 20, 30]);
  const png = await takeImage(await picture.clone().png().toBuffer());
  const webp = await takeImage(await picture.clone().webp({ lossless: true }).toBuffer());
  const turned = await takeImage(await flat(16, 20, [10, 20, 30]).png().toBuffer());
  expect(png.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(webp.digest).toBe(png.digest);
  expect(turned.rgb).toEqual(png.rgb);
  expect(turned.digest).not.toBe(png.digest);
});
