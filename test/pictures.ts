import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

/** Makes picture files for tests. Pictures start from raw pixels: the program blocks sharp's other loaders. */
export function fromPixels(
  width: number,
  height: number,
  pixels: Uint8Array | Uint16Array,
  frameHeight = height,
): Sharp {
  const channels = (pixels.length / (width * height)) as 1 | 2 | 3 | 4;
  return sharp(pixels, { raw: { width, height, channels, pageHeight: frameHeight } });
}

export function flat(width: number, height: number, color: readonly number[]): Sharp {
  const pixels = new Uint8Array(width * height * color.length);
  for (let i = 0; i < pixels.length; i++) pixels[i] = color[i % color.length] as number;
  return fromPixels(width, height, pixels);
}

/** 32-bit linear congruential generator, top byte; the expected sums in bicubic.test.ts were made from the same bytes. */
export function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/** A PNG whose header declares a size its few bytes of data do not have. */
export function pngDeclaring(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB, deflate, no filter, not interlaced
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.alloc(64))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Puts a chunk where ancillary chunks belong: right behind IHDR. */
export function withPngChunk(png: Uint8Array, type: string, data: Uint8Array): Buffer {
  return Buffer.concat([png.subarray(0, 33), pngChunk(type, data), png.subarray(33)]);
}

/** An ISO base media file of a `ftyp` box with the given brands, the major one first, and some bytes after it. */
export function ftyp(...brands: string[]): Buffer {
  const [major = '', ...compatible] = brands;
  const box = Buffer.from(`\0\0\0\0ftyp${major}\0\0\0\0${compatible.join('')}`, 'latin1');
  box.writeUInt32BE(box.length);
  return Buffer.concat([box, Buffer.alloc(64)]);
}
