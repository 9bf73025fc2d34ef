import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a new file whole or not at all, for its owner only; durable when it returns. Blocks. */
export function writeDurably(path: string, pieces: readonly Uint8Array[]): void {
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

/** The first bytes of a file, fewer if it has no more. */
export function readHead(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(Math.min(bytes, fstatSync(file).size));
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
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
