import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { keyBytes } from '../../../files/seal.ts';

/**
 * The key that lies in the folder, or a new one that only its owner can read. One that is damaged is replaced: what was sealed
 * under it is lost, and all of that is a cache.
 * @throws what the file system throws
 */
export function masterKeyAt(path: string): Uint8Array {
  try {
    const key = readFileSync(path);
    if (key.length === keyBytes) return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(keyBytes);
  const unfinished = `${path}.tmp`;
  const file = openSync(unfinished, 'w', 0o600);
  try {
    writeSync(file, key);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
  return key;
}
