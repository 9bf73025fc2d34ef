import { failure } from '../core/errors.ts';
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
  const [meta] = children(file, 'meta');
  const [properties] = meta ? children(meta.subarray(4), 'iprp') : [];
  const [containers] = properties ? children(properties, 'ipco') : [];
  return (containers ? children(containers, 'ispe') : [])
    .filter(({ length }) => length >= 12)
    .map((ispe) => ({ width: ispe.readUInt32BE(4), height: ispe.readUInt32BE(8) }));
}

/** Honest files have dozens; each costs time on the thread that answers everybody. */
const maxBoxes = 4096;

/**
 * The contents of the boxes of a type, as far as boxes are whole (ISO/IEC 14496-12, 4.2).
 * @throws AfterimageError image_damaged when there are more boxes than anybody needs
 */
function children(boxes: Buffer, type: string): Buffer[] {
  const wanted = Buffer.from(type, 'latin1').readUInt32BE(0);
  const found: Buffer[] = [];
  let count = 0;
  for (let at = 0; at + 8 <= boxes.length; ) {
    if (++count > maxBoxes) throw failure('image_damaged', { format: 'AVIF' });
    const short = boxes.readUInt32BE(at);
    const isLong = short === 1 && at + 16 <= boxes.length;
    const head = isLong ? 16 : 8;
    // 0: to the end.
    const bytes = isLong ? Number(boxes.readBigUInt64BE(at + 8)) : short || boxes.length - at;
    if (bytes < head || at + bytes > boxes.length) break;
    if (boxes.readUInt32BE(at + 4) === wanted) found.push(boxes.subarray(at + head, at + bytes));
    at += bytes;
  }
  return found;
}
