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

/** A key of its own for each file, so that no nonce can ever meet the same key twice (RFC 5869). */
export function fileKey(dataKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, 'afterimage state file', keyBytes));
}
