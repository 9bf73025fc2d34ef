import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { BlobKey } from '../port.ts';

/**
 * `<folder>/<area>/<tenant hash>/<first 2 of key hash>/<key hash>`: hashes are SHA-256 in hex, so tenant and id may hold anything.
 * The area stands for itself, the caller checks it.
 */
export function blobPath(folder: string, key: BlobKey): string {
  const name = createHash('sha256').update(encodeKey(key)).digest('hex');
  return join(tenantFolder(folder, key.tenant, key.area), name.slice(0, 2), name);
}

/** Where all of a tenant's blobs of an area lie. */
export function tenantFolder(folder: string, tenant: string, area: string): string {
  const hash = createHash('sha256')
    .update(encodeNames([tenant]))
    .digest('hex');
  return join(folder, area, hash);
}

/** The names of files that hold a blob. */
export const blobName = /^[0-9a-f]{64}$/;

/** Tenant, area and id, each as its length (u32, little-endian) and its UTF-8. */
export function encodeKey({ tenant, area, id }: BlobKey): Buffer {
  return encodeNames([tenant, area, id]);
}

/** Undefined when the bytes are no key. */
export function decodeKey(bytes: Buffer): BlobKey | undefined {
  const names: string[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    names.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  const [tenant, area, id] = names;
  if (at !== bytes.length || names.length !== 3) return undefined;
  return { tenant, area, id } as BlobKey;
}

/** With lengths, ['a', 'bc'] and ['ab', 'c'] differ. */
function encodeNames(names: readonly string[]): Buffer {
  return Buffer.concat(
    names.flatMap((name) => {
      const text = Buffer.from(name);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, text];
    }),
  );
}
