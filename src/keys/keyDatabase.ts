import { DatabaseSync } from 'node:sqlite';
import { failure } from '../core/errors.ts';
import { migrate } from '../files/migrate.ts';
import { ensurePrivateFile } from '../files/privateFile.ts';
import { storageFailure } from '../files/storageFailure.ts';

/** Shows in the file's header whose database it is: `AFKY`. */
const applicationId = 0x41464b59;

/**
 * Step n brings the file from format n to n + 1 and changes nothing when it is run a second time: the server and the command
 * line may open a new file at once.
 */
const migrations = [
  `
  PRAGMA application_id = ${applicationId};
  CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    limits TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    last_used_day TEXT
  ) STRICT;
  `,
];

/** How long a call may wait for another process that writes, blocking this one. */
const busyTimeoutMs = 2_000;

/**
 * Opens the table of keys for one of several processes, makes it if it is missing. The caller closes it.
 * @throws AfterimageError storage_unavailable, storage_read_only, storage_corrupt, storage_newer_format, storage_full
 */
export function openKeyDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    ensurePrivateFile(path);
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    const pragma = (name: string): unknown => database?.prepare(`PRAGMA ${name}`).get()?.[name];
    const format = Number(pragma('user_version'));
    if (format > migrations.length) {
      throw failure('storage_newer_format', { path, format, supported: migrations.length });
    }
    if (format > 0 && pragma('application_id') !== applicationId) {
      throw failure('storage_corrupt', { path, reason: 'it is a database of another program' });
    }
    // A revoked key's hash is gone from the file, and a key that was shown survives a power cut.
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON',
    );
    migrate(database, migrations);
    return database;
  } catch (error) {
    database?.close();
    throw storageFailure(error, path);
  }
}
