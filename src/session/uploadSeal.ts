import { randomBytes } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';
import { fileKey, pieceSource, sealedPieces, unsealing } from '../files/seal.ts';

const saltBytes = 16;

/** What an upload belongs to: put in another's place it doesn't open. */
export interface Belonging {
  readonly tenant: string;
  readonly blobId: string;
}

/**
 * Uploads as they lie in the store. Each is sealed under a key of its own, made of the operator's and a salt that only its record
 * has: when that is wiped the bytes can't be read any more, wherever a copy of them is left. Other work gets its turn between
 * the pieces of a large one.
 */
export class UploadSeal {
  readonly #masterKey: Uint8Array;

  /** @param masterKey 32 bytes */
  constructor(masterKey: Uint8Array) {
    this.#masterKey = masterKey;
  }

  /** Base64. */
  static newSalt(): string {
    return randomBytes(saltBytes).toString('base64');
  }

  /** The bytes must not be changed before this resolves. */
  async seal(bytes: Uint8Array, salt: string, belonging: Belonging): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (const piece of sealedPieces(this.#keyOf(salt), bytes, associated(belonging))) {
      if (pieces.push(piece) > 2) await otherWork();
    }
    return Buffer.concat(pieces);
  }

  /** Undefined when it was not sealed so, or was changed since. */
  async open(sealed: Uint8Array, salt: string, belonging: Belonging): Promise<Uint8Array | undefined> {
    const opening = unsealing(this.#keyOf(salt), pieceSource(sealed), associated(belonging));
    for (let step = opening.next(); ; step = opening.next()) {
      if (step.done) return step.value;
      await otherWork();
    }
  }

  #keyOf(salt: string): Uint8Array {
    return fileKey(this.#masterKey, Buffer.from(salt, 'base64'), 'afterimage upload');
  }
}

const associated = ({ tenant, blobId }: Belonging): Buffer => Buffer.from(JSON.stringify([tenant, blobId]));
