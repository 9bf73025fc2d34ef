import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { replaceFile } from '../../files/replaceFile.ts';
import type { BlobKey } from '../port.ts';
import { decodeKey, encodeKey } from './blobPath.ts';

/**
 * A blob file, numbers little-endian, `k` being the length of the key:
 *
 *     0         4       8       12     12+k          44+k
 *     | 'AFIB'  | u32 1 | u32 k | key  | SHA-256     | body ... end of file
 *
 * The checksum is of the body. The key needs none: the file's name is its hash.
 */
const magic = Buffer.from('AFIB');
const format = 1;
const prefixBytes = 12;
const checksumBytes = 32;

/** Hashed and written in turns of this size, so that no turn holds up the process for more than a millisecond or two. */
const chunkBytes = 1 << 20;

/** A file that is not what was written. */
export class DamagedBlob extends Error {
  override readonly name = 'DamagedBlob';
}

/** Size of the file that holds this blob. */
export function blobFileBytes(key: BlobKey, value: Uint8Array): number {
  return prefixBytes + encodeKey(key).length + checksumBytes + value.length;
}

/** The value must not be changed before this resolves. Folders must be there; at most one call at a time for a path. */
export async function writeBlobFile(path: string, key: BlobKey, value: Uint8Array): Promise<void> {
  const name = encodeKey(key);
  const prefix = Buffer.concat([magic, Buffer.alloc(prefixBytes - magic.length), name]);
  prefix.writeUInt32LE(format, 4);
  prefix.writeUInt32LE(name.length, 8);
  await replaceFile(path, async (file) => {
    const hash = createHash('sha256');
    await writeAt(file, prefix, 0);
    const bodyAt = prefix.length + checksumBytes;
    for (let at = 0; at < value.length; at += chunkBytes) {
      const chunk = value.subarray(at, at + chunkBytes);
      hash.update(chunk);
      await writeAt(file, chunk, bodyAt + at);
    }
    await writeAt(file, hash.digest(), prefix.length);
  });
}

/** @throws DamagedBlob when the file is not whole; the caller compares the key. */
export async function readBlobFile(path: string): Promise<{ key: BlobKey; value: Uint8Array }> {
  await using file = await open(path);
  const { key, bodyAt, fileBytes } = await readHeader(file);
  const hash = createHash('sha256');
  const value = new Uint8Array(fileBytes - bodyAt);
  for (let at = 0; at < value.length; at += chunkBytes) {
    const chunk = value.subarray(at, at + chunkBytes);
    await readAt(file, chunk, bodyAt + at);
    hash.update(chunk);
  }
  const checksum = Buffer.alloc(checksumBytes);
  await readAt(file, checksum, bodyAt - checksumBytes);
  if (!hash.digest().equals(checksum)) throw new DamagedBlob('its checksum does not match');
  return { key, value };
}

/** @throws DamagedBlob when the header is not whole; the body is not looked at. */
export async function readBlobKey(path: string): Promise<BlobKey> {
  await using file = await open(path);
  return (await readHeader(file)).key;
}

async function readHeader(file: FileHandle): Promise<{ key: BlobKey; bodyAt: number; fileBytes: number }> {
  const { size: fileBytes } = await file.stat();
  if (fileBytes < prefixBytes + checksumBytes) throw new DamagedBlob('it is cut short');
  const prefix = Buffer.alloc(prefixBytes);
  await readAt(file, prefix, 0);
  if (!prefix.subarray(0, magic.length).equals(magic)) throw new DamagedBlob('it is no blob file');
  if (prefix.readUInt32LE(4) !== format) throw new DamagedBlob('its format is unknown');
  const bodyAt = prefixBytes + prefix.readUInt32LE(8) + checksumBytes;
  if (bodyAt > fileBytes) throw new DamagedBlob('it is cut short');
  const name = Buffer.alloc(bodyAt - prefixBytes - checksumBytes);
  await readAt(file, name, prefixBytes);
  const key = decodeKey(name);
  if (!key) throw new DamagedBlob('its key is unreadable');
  return { key, bodyAt, fileBytes };
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function readAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new DamagedBlob('it became shorter while it was read');
    done += bytesRead;
  }
}

/** Undefined when it is missing. */
export async function fileBytes(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
