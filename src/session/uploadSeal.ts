import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';

const keyBytes = 32;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
/** Work in turns of this size, so that no large picture holds up the process. */
const chunkBytes = 1 << 20;

/** What an upload belongs to: put in another's place it doesn't open. */
export interface Belonging {
  readonly tenant: string;
  readonly blobId: string;
}

/**
 * Uploads as they lie in the store: AES-256-GCM, written as nonce, ciphertext, tag. Each has a key of its own, made of the
 * operator's and a salt (RFC 5869) that only its record has: when that is wiped the bytes can't be read any more, wherever a copy
 * of them is left.
 */
export class UploadSeal {
  readonly #masterKey: Uint8Array;

  /** @param masterKey 32 bytes */
  constructor(masterKey: Uint8Array) {
    if (masterKey.length !== keyBytes) throw new Error(`a key of ${masterKey.length} bytes`);
    this.#masterKey = masterKey;
  }

  /** Base64. */
  static newSalt(): string {
    return randomBytes(saltBytes).toString('base64');
  }

  /** The bytes must not be changed before this resolves. */
  async seal(bytes: Uint8Array, salt: string, belonging: Belonging): Promise<Uint8Array> {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(salt), nonce).setAAD(associated(belonging));
    const sealed = new Uint8Array(nonceBytes + bytes.length + tagBytes);
    sealed.set(nonce);
    await inTurns(bytes, (chunk, at) => sealed.set(cipher.update(chunk), nonceBytes + at));
    cipher.final();
    sealed.set(cipher.getAuthTag(), nonceBytes + bytes.length);
    return sealed;
  }

  /** Undefined when it was not sealed so, or was changed since. */
  async open(sealed: Uint8Array, salt: string, belonging: Belonging): Promise<Uint8Array | undefined> {
    const end = sealed.length - tagBytes;
    if (end < nonceBytes) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(salt), sealed.subarray(0, nonceBytes))
      .setAAD(associated(belonging))
      .setAuthTag(sealed.subarray(end));
    const bytes = new Uint8Array(end - nonceBytes);
    await inTurns(sealed.subarray(nonceBytes, end), (chunk, at) => bytes.set(decipher.update(chunk), at));
    try {
      decipher.final();
    } catch {
      // The only thing that can fail here is the tag.
      return undefined;
    }
    return bytes;
  }

  #keyOf(salt: string): Uint8Array {
    const key = hkdfSync(
      'sha256',
      this.#masterKey,
      Buffer.from(salt, 'base64'),
      'afterimage upload',
      keyBytes,
    );
    return new Uint8Array(key);
  }
}

const associated = ({ tenant, blobId }: Belonging): Buffer => Buffer.from(JSON.stringify([tenant, blobId]));

async function inTurns(bytes: Uint8Array, work: (chunk: Uint8Array, at: number) => void): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    if (at > 0) await otherWork();
    work(bytes.subarray(at, at + chunkBytes), at);
  }
}
