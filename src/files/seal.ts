import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** What sealing adds to a message that brings its own nonce. */
export const sealBytes = nonceBytes + tagBytes;

/**
 * Large messages go in pieces of this size, between which others can get their turn: memory that is touched for the first time
 * can cost more than reading and deciphering, so none but the message itself is.
 */
const pieceBytes = 1 << 20;

/** A message that is read piece by piece. */
export interface PieceSource {
  readonly bytes: number;
  /** Fills `target` from byte `at` on. */
  read(target: Uint8Array, at: number): void;
}

/**
 * AES-256-GCM with a random nonce: nonce, ciphertext, tag. For few messages under one key (NIST SP 800-38D: below 2^32).
 * Each piece is made when it is asked for; the message is borrowed until the last one.
 */
export function* sealedPieces(
  key: Uint8Array,
  message: Uint8Array,
  associated: Uint8Array,
): Generator<Uint8Array, void> {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  yield nonce;
  for (let at = 0; at < message.length; at += pieceBytes) {
    yield cipher.update(message.subarray(at, at + pieceBytes));
  }
  cipher.final();
  yield cipher.getAuthTag();
}

/**
 * Opens what was sealed, a piece at each step; gives it back at the end, when all of it is known to be true. Undefined when it was
 * not sealed under this key with these associated data, or was changed since.
 */
export function* unsealing(
  key: Uint8Array,
  sealed: PieceSource,
  associated: Uint8Array,
): Generator<void, Uint8Array | undefined> {
  if (sealed.bytes < sealBytes) return undefined;
  const [nonce, tag] = [Buffer.alloc(nonceBytes), Buffer.alloc(tagBytes)];
  sealed.read(nonce, 0);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  const message = new Uint8Array(sealed.bytes - sealBytes);
  const piece = Buffer.alloc(Math.min(pieceBytes, message.length));
  for (let at = 0; at < message.length; at += pieceBytes) {
    const part = piece.subarray(0, Math.min(pieceBytes, message.length - at));
    sealed.read(part, nonceBytes + at);
    message.set(decipher.update(part), at);
    yield;
  }
  sealed.read(tag, nonceBytes + message.length);
  decipher.setAuthTag(tag);
  try {
    decipher.final();
  } catch {
    // The only thing that can fail here is the tag.
    return undefined;
  }
  return message;
}

/** A message that lies in memory. */
export function pieceSource(bytes: Uint8Array): PieceSource {
  return {
    bytes: bytes.length,
    read: (target, at) => target.set(bytes.subarray(at, at + target.length)),
  };
}

/** All of it at once. */
export function seal(key: Uint8Array, message: Uint8Array, associated: Uint8Array): Buffer {
  return Buffer.concat([...sealedPieces(key, message, associated)]);
}

/** All of it at once; see `unsealing`. */
export function unseal(key: Uint8Array, sealed: PieceSource, associated: Uint8Array): Uint8Array | undefined {
  const opening = unsealing(key, sealed, associated);
  for (;;) {
    const { done, value } = opening.next();
    if (done) return value;
  }
}

/** A key of its own for each file, so that no nonce can ever meet the same key twice (RFC 5869). `purpose` sets uses apart. */
export function fileKey(key: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, purpose, keyBytes));
}
