import { randomBytes } from 'node:crypto';
import {
  fileKey,
  type PieceSource,
  pieceSource,
  seal,
  sealBytes,
  sealedPieces,
  unseal,
} from '../../../files/seal.ts';

/**
 * An object's file, numbers little-endian:
 *
 *     0        4       8        12          28         36               36+h       end
 *     | 'AFST' | u32 1 | u32 h  | salt, 16  | f64 size | sealed header  | sealed body |
 *
 * Header: JSON. Header and body are sealed under the file's own key (data key of the scope, salt), each with the plain beginning
 * of the file, what it belongs to and which of the two it is as associated data. The tags of AES-GCM are the checksum: a
 * file that was changed, cut, or put in another's place doesn't open.
 */
const magic = Buffer.from('AFST');
export const fileFormat = 1;
/** What keys of files are derived for. */
export const keyPurpose = 'afterimage state file';
export const saltBytes = 16;
export const prefixBytes = 36;

/** What a file must belong to; a file that belongs to something else doesn't open. */
export interface Belonging {
  readonly id: string;
  readonly tenant: string;
  readonly scope: string;
  readonly kind: string;
  readonly fingerprint: string;
}

export interface FilePrefix {
  readonly format: number;
  readonly headerBytes: number;
  readonly salt: Buffer;
  /** Of the body, sealed. */
  readonly bodyBytes: number;
}

export interface SealedFile {
  readonly salt: Buffer;
  /** To be written one after the other; made as they are taken, once. */
  readonly pieces: Iterable<Uint8Array>;
  readonly bytes: number;
}

export function sealFile(
  dataKey: Uint8Array,
  belonging: Belonging,
  header: unknown,
  body: Uint8Array,
): SealedFile {
  const salt = randomBytes(saltBytes);
  const key = fileKey(dataKey, salt, keyPurpose);
  const plain = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(prefixBytes);
  magic.copy(prefix);
  prefix.writeUInt32LE(fileFormat, 4);
  prefix.writeUInt32LE(plain.length + sealBytes, 8);
  salt.copy(prefix, 12);
  prefix.writeDoubleLE(body.length + sealBytes, 28);
  const sealedHeader = seal(key, plain, associated(prefix, belonging, 'header'));
  const bytes = prefix.length + sealedHeader.length + body.length + sealBytes;
  const pieces = (function* () {
    yield prefix;
    yield sealedHeader;
    yield* sealedPieces(key, body, associated(prefix, belonging, 'body'));
  })();
  return { salt, pieces, bytes };
}

/** Undefined: these are not the first bytes of such a file, of any format. */
export function readPrefix(bytes: Buffer): FilePrefix | undefined {
  if (bytes.length < prefixBytes || !bytes.subarray(0, 4).equals(magic)) return undefined;
  return {
    format: bytes.readUInt32LE(4),
    headerBytes: bytes.readUInt32LE(8),
    salt: bytes.subarray(12, 12 + saltBytes),
    bodyBytes: bytes.readDoubleLE(28),
  };
}

/** The header; undefined when it doesn't open. @param bytes the file, at least to the header's end */
export function openHeader(dataKey: Uint8Array, belonging: Belonging, bytes: Buffer): unknown {
  const prefix = readPrefix(bytes);
  if (!prefix) return undefined;
  const sealed = bytes.subarray(prefixBytes, prefixBytes + prefix.headerBytes);
  const key = fileKey(dataKey, prefix.salt, keyPurpose);
  const of = associated(bytes.subarray(0, prefixBytes), belonging, 'header');
  const plain = unseal(key, pieceSource(sealed), of);
  return plain && JSON.parse(Buffer.from(plain).toString('utf8'));
}

/** The body; undefined when the file doesn't open as a whole. @param head as for `openHeader` */
export function openBody(
  dataKey: Uint8Array,
  belonging: Belonging,
  head: Buffer,
  file: PieceSource,
): Uint8Array | undefined {
  const prefix = readPrefix(head);
  if (!prefix) return undefined;
  const start = prefixBytes + prefix.headerBytes;
  if (file.bytes !== start + prefix.bodyBytes) return undefined;
  if (openHeader(dataKey, belonging, head) === undefined) return undefined;
  const key = fileKey(dataKey, prefix.salt, keyPurpose);
  const body = {
    bytes: prefix.bodyBytes,
    read: (target: Uint8Array, at: number) => file.read(target, start + at),
  };
  return unseal(key, body, associated(head.subarray(0, prefixBytes), belonging, 'body'));
}

function associated(
  prefix: Uint8Array,
  { id, tenant, scope, kind, fingerprint }: Belonging,
  part: string,
): Buffer {
  return Buffer.concat([prefix, Buffer.from(JSON.stringify([part, id, tenant, scope, kind, fingerprint]))]);
}
