import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './folders.ts';

/** Ends the names of files that are not whole yet; whoever opens the store removes what a crash left. */
export const unfinishedSuffix = '.tmp';

/**
 * Replaces a file (mode 0600) by what `write` writes: a reader or a crash at any moment sees the old one or the new one,
 * whole; when it resolves, the new one survives a power cut. At most one call at a time for a path.
 */
export async function replaceFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const unfinished = path + unfinishedSuffix;
  const file = await open(unfinished, 'w', 0o600);
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}
