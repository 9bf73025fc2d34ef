import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { failure } from '../../core/errors.ts';
import { checkFormat, migrate } from '../../files/migrate.ts';
import { ensurePrivateFile } from '../../files/privateFile.ts';
import { storageFailure } from '../../files/storageFailure.ts';
import { applicationId, migrations } from './migrations.ts';

/** Below it a reset of the write-ahead log could damage the database (sqlite.org/wal.html, "The WAL-Reset Bug"). */
const oldestSqlite = '3.51.3';

/** How long a call may wait for a lock that a tool of the administrator holds, blocking the process. */
const busyTimeoutMs = 2000;

/**
 * Opens the database for its one writer, makes or migrates it. The caller holds the folder's lock and closes it.
 * @param mustHold records have been here: a missing or empty file is damage, not a new one.
 * @throws AfterimageError storage_unavailable, storage_read_only, storage_corrupt, storage_newer_format, storage_full
 */
export function openDatabase(path: string, { mustHold }: { mustHold: boolean }): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (mustHold && !statSync(path, { throwIfNoEntry: false })?.size) {
      throw failure('storage_corrupt', { path, reason: 'it is missing or empty' });
    }
    ensurePrivateFile(path);
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    checkSqlite(database, path);
    checkFormat(database, path, { mustHold, supported: migrations.length, applicationId });
    configure(database, path);
    migrate(database, migrations);
    return database;
  } catch (error) {
    database?.close();
    throw storageFailure(error, path);
  }
}

/** Structural damage SQLite finds, reading all of the file. */
export function checkDatabase(database: DatabaseSync, path: string): string[] {
  try {
    const found = database.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[];
    return found
      .map((row) => row.integrity_check)
      .flatMap((text) => (text === 'ok' ? [] : `${path}: ${text}`));
  } catch (error) {
    const failed = storageFailure(error, path);
    if (!(failed instanceof Error && 'code' in failed && failed.code === 'storage_corrupt')) throw failed;
    return [failed.message];
  }
}

function checkSqlite(database: DatabaseSync, path: string): void {
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  if (version.localeCompare(oldestSqlite, 'en', { numeric: true }) < 0) {
    const reason = `SQLite ${oldestSqlite} or newer is needed, Node.js ${process.version} has ${version}`;
    throw failure('storage_unavailable', { path, reason });
  }
}

function configure(database: DatabaseSync, path: string): void {
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode;
  if (mode !== 'wal') {
    throw failure('storage_unavailable', { path, reason: 'the file system has no write-ahead log' });
  }
  database.exec(`
    PRAGMA synchronous = FULL;
    -- On macOS a plain fsync leaves data in the drive's cache.
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    -- What is deleted is gone from the file, not just from its tables.
    PRAGMA secure_delete = ON;
    -- A few large values must not leave a large log for good.
    PRAGMA journal_size_limit = 16777216;
  `);
}
