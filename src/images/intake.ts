import { failure } from '../core/errors.ts';
import { declaredSizes } from './declaredSize.ts';
import { decode, readHeader } from './decoder.ts';
import { imageDigest } from './digest.ts';
import { maxAspectRatio, maxFileBytes, maxImagePixels, maxSide, minSide } from './limits.ts';
import { sniff } from './sniff.ts';

/** A picture reduced to what there is to see: upright, sRGB, opaque, without metadata. */
export interface CanonicalImage {
  /** See `imageDigest`. */
  readonly digest: string;
  readonly width: number;
  readonly height: number;
  /** width x height x 3 bytes. */
  readonly rgb: Uint8Array;
}

/**
 * Decodes a picture file. What its header declares is checked before its pixels are touched.
 *
 * @throws AfterimageError with an `image_` code for everything that can be wrong with the bytes
 */
export async function takeImage(bytes: Uint8Array): Promise<CanonicalImage> {
  if (bytes.length === 0) throw failure('image_empty', {});
  if (bytes.length > maxFileBytes) {
    throw failure('image_file_too_large', { bytes: bytes.length, limit: maxFileBytes });
  }
  const format = sniff(bytes);
  for (const { width, height } of declaredSizes(bytes, format)) {
    if (width > maxSide || height > maxSide) checkSize(width, height);
  }
  const header = await readHeader(bytes, format);
  if (header.frames > 1) throw failure('image_animated', { format });
  checkSize(header.width, header.height);
  const { width, height, rgb } = await decode(bytes, format, header);
  return { digest: imageDigest(width, height, rgb), width, height, rgb };
}

function checkSize(width: number, height: number): void {
  const [short, long] = width < height ? [width, height] : [height, width];
  if (short < minSide) throw failure('image_too_small', { width, height, limit: minSide });
  if (long > maxSide) throw failure('image_too_large', { width, height, limit: maxSide });
  if (long > maxAspectRatio * short) {
    throw failure('image_aspect_ratio', { width, height, limit: maxAspectRatio });
  }
  const pixels = width * height;
  if (pixels > maxImagePixels) {
    throw failure('image_too_many_pixels', { width, height, pixels, limit: maxImagePixels });
  }
}
