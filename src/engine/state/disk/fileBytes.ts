import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PieceSource } from '../../../files/seal.ts';

/** Writes a new file whole or not at all, for its owner only; durable when it returns. Blocks. */
export function writeDurably(path: string, pieces: Iterable<Uint8Array>): void {
  const unfinished = `${path}.tmp`;
  try {
    const file = openSync(unfinished, 'wx', 0o600);
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  syncNames(dirname(path));
}

/** Gives a file to `use`, to be read piece by piece. @throws what the file system throws, also for a file that has got shorter */
export function withFile<T>(path: string, use: (file: PieceSource) => T): T {
  const file = openSync(path, 'r');
  try {
    return use({
      bytes: fstatSync(file).size,
      read: (target, from) => {
        for (let at = 0; at < target.length; ) {
          const read = readSync(file, target, at, target.length - at, from + at);
          if (read === 0) throw new Error(`${path} has got shorter`);
          at += read;
        }
      },
    });
  } finally {
    closeSync(file);
  }
}

function syncNames(folder: string): void {
  // Windows can't open folders, and NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const opened = openSync(folder, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
