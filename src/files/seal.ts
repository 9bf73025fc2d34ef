import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
/** What sealing adds to a message that brings its own nonce. */
export const sealBytes = nonceBytes + tagBytes;

/** AES-256-GCM with a random nonce: nonce, ciphertext, tag. For few messages under one key (NIST SP 800-38D: below 2^32). */
export function seal(key: Uint8Array, message: Uint8Array, associated: Uint8Array): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  return Buffer.concat([nonce, cipher.update(message), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when it was not sealed under this key with these associated data, or was changed since. */
export function unseal(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Buffer | undefined {
  if (sealed.length < sealBytes) return undefined;
  const end = sealed.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes))
    .setAAD(associated)
    .setAuthTag(sealed.subarray(end));
  try {
    const message = decipher.update(sealed.subarray(nonceBytes, end));
    decipher.final();
    return message;
  } catch {
    // The only thing that can fail here is the tag.
    return undefined;
  }
}

/**
 * Large messages go in pieces of this size: memory that is touched for the first time can cost more than reading and deciphering, so
 * none but the message itself is.
 */
const pieceBytes = 1 << 20;

/** A message that is read piece by piece. */
export interface PieceSource {
  readonly bytes: number;
  /** Fills `target` from byte `at` on. */
  read(target: Uint8Array, at: number): void;
}

/** What `seal` gives, in pieces, each made when it is asked for. Borrows the message until the last one. */
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

/** `unseal` of a message that is read piece by piece. Nothing of it is given out before all of it is known to be true. */
export function unsealPieces(
  key: Uint8Array,
  sealed: PieceSource,
  associated: Uint8Array,
): Uint8Array | undefined {
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

/** A key of its own for each file, so that no nonce can ever meet the same key twice (RFC 5869). */
export function fileKey(dataKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, 'afterimage state file', keyBytes));
}
