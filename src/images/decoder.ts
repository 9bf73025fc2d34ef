import sharp, { type SharpOptions } from 'sharp';
import { failure } from '../core/errors.ts';
import { decodeTimeoutMs, maxImagePixels } from './limits.ts';
import type { ImageFormat } from './sniff.ts';

// These hold for the whole process; nothing else in it decodes pictures. Loaders are an attack surface, the operation
// cache would keep pixels of one tenant alive for another, and the cores belong to the engine.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif'].map((loader) => `VipsForeignLoad${loader}Buffer`),
});
sharp.cache(false);
sharp.concurrency(1);

const options: SharpOptions = { failOn: 'warning', autoOrient: true };

export interface ImageHeader {
  /** As displayed: the EXIF orientation, which may swap the sides, is applied. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** 16 bits per sample with an ICC profile, which libvips converts by way of Display P3. */
  readonly deepWithProfile: boolean;
}

/**
 * Decodes no pixels, so any declared size is safe here.
 * @throws AfterimageError image_damaged
 */
export async function readHeader(bytes: Uint8Array, format: ImageFormat): Promise<ImageHeader> {
  const picture = sharp(bytes, { ...options, limitInputPixels: false });
  const header = await picture.metadata().catch((error) => Promise.reject(decoderFailure(error, format)));
  return {
    ...header.autoOrient,
    frames: header.pages ?? 1,
    deepWithProfile: header.hasProfile && header.space === 'rgb16',
  };
}

/**
 * @returns sRGB with 8 bits per channel, upright, transparency flattened onto white; no metadata
 * @throws AfterimageError image_damaged, image_decode_timeout
 */
export async function decode(
  bytes: Uint8Array,
  format: ImageFormat,
  { deepWithProfile }: ImageHeader,
): Promise<{ width: number; height: number; rgb: Uint8Array }> {
  const picture = sharp(bytes, { ...options, limitInputPixels: maxImagePixels })
    .timeout({ seconds: decodeTimeoutMs / 1000 })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' });
  // Without this sharp would hand out the Display P3 values as they are.
  if (deepWithProfile) picture.withIccProfile('srgb', { attach: false });
  const { data, info } = await picture
    .toBuffer({ resolveWithObject: true })
    .catch((error) => Promise.reject(decoderFailure(error, format)));
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`);
  return {
    width: info.width,
    height: info.height,
    rgb: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}

/** The decoder's own text, which may quote memory (CVE-2026-22778), goes no further than this. */
export function decoderFailure(error: unknown, format: ImageFormat) {
  if (error instanceof Error && error.message.startsWith('timeout: ')) {
    return failure('image_decode_timeout', { limitMs: decodeTimeoutMs });
  }
  return failure('image_damaged', { format });
}
