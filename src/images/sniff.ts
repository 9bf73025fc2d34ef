import { failure } from '../core/errors.ts';

export type ImageFormat = 'JPEG' | 'PNG' | 'WebP' | 'AVIF' | 'GIF';

/**
 * Tells the format from the content; names and declared types are never asked.
 *
 * @throws AfterimageError image_format_unsupported for a known format that is not taken, image_format_unknown for
 * anything else, image_animated for APNG and AVIF sequences (a frame count tells for GIF and WebP, see intake).
 */
export function sniff(bytes: Uint8Array): ImageFormat {
  const text = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString('latin1');
  const startsWith = (magic: string) => text(0, magic.length) === magic;

  if (startsWith('\xff\xd8\xff')) return 'JPEG';
  if (startsWith('\x89PNG\r\n\x1a\n')) {
    if (apngFrames(bytes) > 1) throw failure('image_animated', { format: 'PNG' });
    return 'PNG';
  }
  if (startsWith('GIF87a') || startsWith('GIF89a')) return 'GIF';
  if (startsWith('RIFF') && text(8, 12) === 'WEBP') return 'WebP';
  if (text(4, 8) === 'ftyp') return sniffBrands(bytes);

  for (const [format, magic] of otherMagics) {
    if (startsWith(magic)) throw failure('image_format_unsupported', { format });
  }
  if (startsWith('BM') && bitmapHeaderBytes.has(bytes[14] ?? 0) && text(15, 18) === '\0\0\0') {
    throw failure('image_format_unsupported', { format: 'BMP' });
  }
  // One to 255 pictures, and the reserved byte of the first entry is 0: four zeroed bytes alone say too little.
  if (startsWith('\0\0\x01\0') && (bytes[4] ?? 0) > 0 && bytes[5] === 0 && bytes[9] === 0) {
    throw failure('image_format_unsupported', { format: 'ICO' });
  }
  const head = text(0, 4096)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  if (/^<(\?xml|!--|!doctype\s+svg|svg)/i.test(head) && /<svg[\s>]/i.test(head)) {
    throw failure('image_format_unsupported', { format: 'SVG' });
  }
  throw failure('image_format_unknown', {});
}

const otherMagics: readonly (readonly [format: string, magic: string])[] = [
  ['PDF', '%PDF-'],
  ['PDF', '\xef\xbb\xbf%PDF-'],
  ['TIFF', 'II*\0'],
  ['TIFF', 'MM\0*'],
  ['TIFF', 'II+\0'],
  ['TIFF', 'MM\0+'],
  ['JPEG XL', '\xff\x0a'],
  ['JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n'],
  ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
  ['JPEG 2000', '\xff\x4f\xff\x51'],
  ['WebM or Matroska video', '\x1a\x45\xdf\xa3'],
];

/** Sizes of the DIB header versions (OS/2 1.x, Windows 3 to 5). */
const bitmapHeaderBytes: ReadonlySet<number> = new Set([12, 40, 52, 56, 64, 108, 124]);

/** ISO base media: a size, `ftyp`, the major brand, a version, then compatible brands (ISO/IEC 14496-12, 4.3). */
function sniffBrands(bytes: Uint8Array): ImageFormat {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (head.length < 12) throw failure('image_format_unknown', {});
  const end = Math.min(head.readUInt32BE(0), head.length, 512);
  const brands = [head.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(head.toString('latin1', at, at + 4));

  // `avis` promises an image sequence track, even where a still picture lies beside it (AV1 Image File Format, 6).
  if (brands.includes('avis')) throw failure('image_animated', { format: 'AVIF' });
  for (const brand of brands) {
    if (brand === 'avif') return 'AVIF';
    if (/^(hei[cxms]|hev[cxms])$/.test(brand)) throw failure('image_format_unsupported', { format: 'HEIC' });
  }
  if (brands.some((brand) => brand === 'mif1' || brand === 'msf1')) {
    throw failure('image_format_unsupported', { format: 'HEIF' });
  }
  if (brands[0] === 'qt  ') throw failure('image_format_unsupported', { format: 'QuickTime video' });
  if (brands.some((brand) => /^(iso[m2-9]|mp4[12]|avc1|dash|M4V[ HP]|3g[p2].)$/.test(brand))) {
    throw failure('image_format_unsupported', { format: 'MP4 video' });
  }
  throw failure('image_format_unknown', {});
}

/** Frames that an `acTL` chunk before the first `IDAT` announces; 0 for a plain PNG (PNG 3rd edition, 11.3.6). */
function apngFrames(bytes: Uint8Array): number {
  const chunks = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; at += 12 + chunks.getUint32(at)) {
    const type = chunks.getUint32(at + 4);
    if (type === 0x49444154) return 0; // IDAT
    if (type === 0x6163544c) return chunks.getUint32(at + 8); // acTL
  }
  return 0;
}
