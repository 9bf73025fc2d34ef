import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flat, ftyp, withPngChunk } from '../../test/pictures.ts';
import { AfterimageError } from '../core/errors.ts';
import { sniff } from './sniff.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function refusal(bytes: Uint8Array): string {
  try {
    return `accepted ${sniff(bytes)}`;
  } catch (error) {
    if (!(error instanceof AfterimageError)) throw error;
    return [error.code, error.details.format].filter(Boolean).join(' ');
  }
}

describe('accepted formats', () => {
  test('are told by their content', async () => {
    const picture = flat(16, 16, [10, 200, 30]);
    expect(sniff(await picture.clone().jpeg().toBuffer())).toBe('JPEG');
    expect(sniff(await picture.clone().png().toBuffer())).toBe('PNG');
    expect(sniff(await picture.clone().webp().toBuffer())).toBe('WebP');
    expect(sniff(await picture.clone().avif().toBuffer())).toBe('AVIF');
    expect(sniff(await picture.clone().gif().toBuffer())).toBe('GIF');
    expect(sniff(ftyp('mif1', 'miaf', 'avif'))).toBe('AVIF');
  });

  test('a view into a larger buffer is read at its own offset', async () => {
    const png = await flat(16, 16, [1, 2, 3]).png().toBuffer();
    const shifted = Buffer.concat([Buffer.from('GIF89a!'), png]).subarray(7);
    expect(sniff(shifted)).toBe('PNG');
    expect(sniff(Buffer.concat([Buffer.from('GIF89a!'), ftyp('avif')]).subarray(7))).toBe('AVIF');
  });
});

test.each([
  ['HEIC', ftyp('heic', 'mif1', 'heic')],
  ['HEIC', ftyp('mif1', 'heix')],
  ['HEIC', ftyp('hevc', 'msf1')],
  ['HEIF', ftyp('mif1', 'miaf')],
  ['HEIF', ftyp('msf1')],
  ['MP4 video', ftyp('isom', 'iso2', 'avc1', 'mp41')],
  ['MP4 video', ftyp('mp42')],
  ['MP4 video', ftyp('3gp5')],
  ['QuickTime video', ftyp('qt  ')],
  ['WebM or Matroska video', latin1('\x1a\x45\xdf\xa3\x9fB\x86\x81\x01')],
  ['SVG', latin1('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['SVG', latin1('\xef\xbb\xbf\n<?xml version="1.0"?>\n<!-- x --><svg width="1">')],
  ['SVG', latin1('<!DOCTYPE svg PUBLIC "x"><svg >')],
  ['PDF', latin1('%PDF-1.7\n')],
  ['TIFF', latin1('II*\0\x08\0\0\0')],
  ['TIFF', latin1('MM\0*\0\0\0\x08')],
  ['TIFF', latin1('II+\0\x08\0')],
  ['TIFF', latin1('MM\0+\0\x08')],
  ['BMP', latin1('BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0')],
  ['ICO', latin1('\0\0\x01\0\x01\0\x10\x10\0\0\x01\0')],
  ['JPEG XL', latin1('\xff\x0a\x00')],
  ['JPEG XL', latin1('\0\0\0\x0cJXL \r\n\x87\n')],
  ['JPEG 2000', latin1('\0\0\0\x0cjP  \r\n\x87\n')],
  ['JPEG 2000', latin1('\xff\x4f\xff\x51\0')],
])('%s is refused by name', (format, bytes) => {
  expect(refusal(bytes)).toBe(`image_format_unsupported ${format}`);
});

test.each([
  ['text', latin1('Hello')],
  ['text that begins like a bitmap', latin1('BMW is a maker of cars')],
  ['a web page with a drawing in it', latin1('<!doctype html><svg></svg>')],
  ['zeros', Buffer.alloc(64)],
  ['a sound in RIFF', latin1('RIFF\x24\0\0\0WAVEfmt ')],
  ['an unknown brand', ftyp('zzzz')],
  ['a bare ftyp', latin1('\0\0\0\x08ftyp')],
  ['two bytes of JPEG', latin1('\xff\xd8')],
  ['an icon without pictures', latin1('\0\0\x01\0\0\0\0\0\0\0')],
])('%s is not recognised', (_, bytes) => {
  expect(refusal(bytes)).toBe('image_format_unknown');
});

describe('animation', () => {
  test('APNG is refused, an acTL with one frame is a still picture', async () => {
    const png = await flat(16, 16, [1, 2, 3]).png().toBuffer();
    const frames = (count: number) => Buffer.from([0, 0, 0, count, 0, 0, 0, 0]);
    expect(refusal(withPngChunk(png, 'acTL', frames(2)))).toBe('image_animated PNG');
    expect(refusal(withPngChunk(png, 'acTL', frames(1)))).toBe('accepted PNG');
  });

  test('AVIF sequences are refused', () => {
    expect(refusal(ftyp('avis', 'msf1', 'avif'))).toBe('image_animated AVIF');
    expect(refusal(ftyp('avif', 'mif1', 'avis'))).toBe('image_animated AVIF');
  });
});

test('any bytes, with or without a magic in front, are accepted or refused', () => {
  const magic = fc.constantFrom(
    '',
    '\x89PNG\r\n\x1a\n',
    '\0\0\0\x18ftyp',
    '\xff\xff\xff\xffftyp',
    '<?xml',
    'BM',
  );
  fc.assert(
    fc.property(magic, fc.uint8Array({ maxLength: 80 }), (prefix, tail) => {
      expect(refusal(Buffer.concat([latin1(prefix), tail]))).toMatch(/^(accepted|image_)/);
    }),
    { seed: 7, numRuns: 500 },
  );
});
