import { createHash, createHmac } from 'node:crypto';
import type { Segment } from '../prompt/segment.ts';

/** What every key of one engine begins with. */
export interface KeyRoot {
  /** Hash of everything that changes bytes of attention state: model, build, settings. */
  readonly fingerprint: string;
  /** Secret of this engine: without it nobody can tell whether two tenants hold the same picture. */
  readonly salt: Uint8Array;
  /** Name of the adapter the model runs with; none yet. */
  readonly adapter: string;
}

/** The state key of the empty prompt of a tenant: SHA-256, base64url. */
export function rootKey(tenant: string, { fingerprint, salt, adapter }: KeyRoot): string {
  const tenantSalt = createHmac('sha256', salt).update(tenant).digest();
  const named = JSON.stringify(['afterimage-state', 1, fingerprint, adapter]);
  return createHash('sha256').update(tenantSalt).update(named).digest('base64url');
}

/**
 * The state key of a prompt that has one segment more:
 * SHA-256 over the parent's key, `t` and the tokens as little-endian u32, or `i` and the image's key and grid.
 */
export function childKey(parent: string, segment: Segment): string {
  const hash = createHash('sha256').update(parent);
  if (segment.kind === 'text') return hash.update('t').update(packTokens(segment.tokens)).digest('base64url');
  const { key, columns, rows } = segment;
  return hash
    .update('i')
    .update(JSON.stringify([key, columns, rows]))
    .digest('base64url');
}

/** Little-endian u32 on every machine, so that keys and files are the same everywhere. */
export function packTokens(tokens: readonly number[]): Uint8Array {
  const packed = new DataView(new ArrayBuffer(4 * tokens.length));
  for (const [index, token] of tokens.entries()) packed.setUint32(4 * index, token, true);
  return new Uint8Array(packed.buffer);
}

export function unpackTokens(packed: Uint8Array): number[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.byteLength / 4 }, (_, index) => view.getUint32(4 * index, true));
}
