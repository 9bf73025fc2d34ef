import { DatabaseSync } from 'node:sqlite';
import { ensurePrivateFile } from '../../files/privateFile.ts';
import { storageFailure } from '../../files/storageFailure.ts';

/** Owns a data folder until it is released or the process ends, however it ends. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes the lock, or gives undefined when another process (or another store of this one) has it. It is an exclusive
 * transaction on an empty database: the operating system drops the lock with its process, so none can be left over.
 * Nothing else may open the file: with POSIX locks, closing any descriptor of it would drop the lock.
 *
 * Network file systems without locks are not supported.
 * @throws AfterimageError storage_unavailable, storage_read_only, storage_corrupt
 */
export function lockFolder(path: string): FolderLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    ensurePrivateFile(path);
    database = new DatabaseSync(path, { timeout: 0 });
    // No journal file either: nothing is ever written.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw storageFailure(error, path);
  }
  const held = database;
  return { release: () => held.close() };
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === sqliteBusy;
}
