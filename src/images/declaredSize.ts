import type { ImageFormat } from './sniff.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The sizes that a header declares in numbers of 32 bits. Of what is beyond its own limits (10^8) the decoder says anything, and
 * some of it on stderr. Other formats have no room for such numbers.
 */
export function declaredSizes(bytes: Uint8Array, format: ImageFormat): Size[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === 'PNG') return pngSizes(file);
  if (format === 'AVIF') return avifSizes(file);
  return [];
}

/** IHDR, which comes first (PNG 3rd edition, 11.2.1). */
function pngSizes(file: Buffer): Size[] {
  if (file.length < 24 || file.toString('latin1', 12, 16) !== 'IHDR') return [];
  return [{ width: file.readUInt32BE(16), height: file.readUInt32BE(20) }];
}

/** Of the picture and of its parts, in `meta/iprp/ipco/ispe` (ISO/IEC 23008-12, 6.5.3). */
function avifSizes(file: Buffer): Size[] {
  return children(file, 'meta').flatMap((meta) =>
    children(meta.subarray(4), 'iprp')
      .flatMap((iprp) => children(iprp, 'ipco'))
      .flatMap((ipco) => children(ipco, 'ispe'))
      .filter(({ length }) => length >= 12)
      .map((ispe) => ({ width: ispe.readUInt32BE(4), height: ispe.readUInt32BE(8) })),
  );
}

/** The contents of the boxes of a type, as far as boxes are whole (ISO/IEC 14496-12, 4.2). */
function children(boxes: Buffer, type: string): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 8 <= boxes.length; ) {
    const bytes = boxes.readUInt32BE(at);
    // 1: the size comes as 64 bits, which nothing before the pixels needs. 0: to the end.
    if (bytes > 0 && bytes < 8) break;
    const end = bytes === 0 ? boxes.length : at + bytes;
    if (end > boxes.length) break;
    if (boxes.toString('latin1', at + 4, at + 8) === type) found.push(boxes.subarray(at + 8, end));
    at = end;
  }
  return found;
}
