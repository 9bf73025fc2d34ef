import { createHash } from 'node:crypto';

const domain = 'afterimage.image.v1';

/**
 * `sha256:` + hex over domain, width, height, mode and pixels. Each field is preceded by its length (64-bit big-endian)
 * so that no two pictures share an encoding; a hash over the pixels alone takes 2x8 for 8x2 (CVE-2025-46722).
 */
export function imageDigest(width: number, height: number, rgb: Uint8Array): string {
  const hash = createHash('sha256');
  for (const field of [domain, `${width}`, `${height}`, 'RGB8', rgb]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(field.length));
    hash.update(length).update(field);
  }
  return `sha256:${hash.digest('hex')}`;
}
