import { accessSync, closeSync, constants, openSync } from 'node:fs';

/**
 * Makes an empty file that only its owner can read (SQLite gives its log the same mode), or checks that the one that is
 * there can be written: of one that can't, SQLite would take no lock and say nothing. A file that exists is not opened:
 * with POSIX locks, closing any descriptor of it would drop the locks this process has on it.
 * @throws what the file system throws
 */
export function ensurePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    accessSync(path, constants.W_OK);
  }
}
