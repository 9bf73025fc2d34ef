import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { failure } from '../core/errors.ts';
import { ensureFolder } from '../files/folders.ts';
import { LogScrubber } from '../files/logScrubber.ts';
import { storageFailure } from '../files/storageFailure.ts';
import { type BlobDamage, FileBlobs } from './files/fileBlobs.ts';
import { describeOwner, readMark, writeMark } from './folderMark.ts';
import type { Store } from './port.ts';
import { openDatabase } from './sqlite/database.ts';
import { type FolderLock, lockFolder } from './sqlite/folderLock.ts';
import { SqliteRecords } from './sqlite/sqliteRecords.ts';

export interface StoreOptions {
  /**
   * Free bytes on the volume below which caches (`features`, `snapshot`) are refused, and below a quarter of which all other
   * blobs are. Default 64 MiB.
   */
  readonly reserveBytes?: number;
  /** How long deleted and replaced records may stay readable in the database's log. Default 2 s. */
  readonly scrubDelayMs?: number;
  /** Called for each damaged blob that was asked for. Default: a process warning. */
  readonly onDamage?: (damage: BlobDamage) => void;
}

/**
 * Opens the store in a data folder and makes the folder if it is missing. One process at a time can have it open.
 *
 *     afterimage.json   format and owner      afterimage.db   records
 *     afterimage.lock   held while open       blobs/          one file each
 *
 * Takes as long as looking at every blob's size.
 * @throws AfterimageError storage_locked, storage_corrupt, storage_newer_format, storage_read_only, storage_full,
 * storage_unavailable
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<Store> {
  const root = resolve(folder);
  const markPath = join(root, 'afterimage.json');
  let lock: FolderLock | undefined;
  let database: DatabaseSync | undefined;
  let scrubber: LogScrubber | undefined;
  try {
    await ensureFolder(root);
    lock = lockFolder(join(root, 'afterimage.lock'));
    if (!lock) throw failure('storage_locked', { path: root, owner: describeOwner(markPath) });
    const databasePath = join(root, 'afterimage.db');
    database = openDatabase(databasePath, { mustHold: readMark(markPath) !== undefined });
    scrubber = new LogScrubber(database, options.scrubDelayMs ?? 2_000);
    const records = new SqliteRecords(database, databasePath, scrubber);
    const blobs = await openBlobs(join(root, 'blobs'), options);
    await writeMark(markPath);
    return storeOf({ records, blobs, database, scrubber, lock });
  } catch (error) {
    scrubber?.stop();
    database?.close();
    lock?.release();
    throw storageFailure(error, root);
  }
}

async function openBlobs(folder: string, options: StoreOptions): Promise<FileBlobs> {
  await ensureFolder(folder);
  return new FileBlobs(folder, {
    reserveBytes: options.reserveBytes ?? 64 * 1024 * 1024,
    onDamage: options.onDamage ?? warnOfDamage,
  });
}

interface Parts {
  readonly records: SqliteRecords;
  readonly blobs: FileBlobs;
  readonly database: DatabaseSync;
  readonly scrubber: LogScrubber;
  readonly lock: FolderLock;
}

function storeOf({ records, blobs, database, scrubber, lock }: Parts): Store {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await blobs.close();
    scrubber.stop();
    database.close();
    lock.release();
  };
  return {
    records,
    blobs,
    get isInPlace() {
      return records.isInPlace;
    },
    checkIntegrity: async () => [...(await records.checkIntegrity()), ...(await blobs.checkIntegrity())],
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function warnOfDamage({ path, problem }: BlobDamage): void {
  process.emitWarning(`${path} is treated as absent: ${problem}.`, { code: 'AFTERIMAGE_DAMAGED_BLOB' });
}
