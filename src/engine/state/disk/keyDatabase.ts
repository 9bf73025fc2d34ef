import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type AfterimageError, failure } from '../../../core/errors.ts';
import { checkFormat, migrate } from '../../../files/migrate.ts';
import { ensurePrivateFile } from '../../../files/privateFile.ts';
import { storageFailure } from '../../../files/storageFailure.ts';

/** Shows in the file's header whose database it is: `AFSK`. */
const applicationId = 0x4146534b;

/**
 * `scopes`: whose objects are sealed under which data key, which is itself sealed under the master key. `uses`: which
 * sessions keep a shared scope alive. `objects`: which file holds which object; `salt` is that of its newest version.
 */
const migrations = [
  `
  PRAGMA application_id = ${applicationId};
  CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed_key BLOB NOT NULL,
    UNIQUE (tenant, name)
  ) STRICT;
  CREATE TABLE uses (
    tenant TEXT NOT NULL,
    image TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (tenant, image, session)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uses_of_session ON uses (tenant, session);
  CREATE TABLE objects (
    id TEXT PRIMARY KEY,
    scope INTEGER NOT NULL,
    kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    salt BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX objects_of_scope ON objects (scope);
  `,
];

/**
 * Opens the table of keys, or makes it. One process at a time. The caller closes it. One that is damaged or of a newer format is
 * thrown away: without it no object opens, and all of them are a cache.
 * @throws AfterimageError storage_unavailable, storage_read_only, storage_full
 */
export function openKeyDatabase(path: string): DatabaseSync {
  try {
    return open(path);
  } catch (error) {
    const { code } = error as AfterimageError;
    if (code !== 'storage_corrupt' && code !== 'storage_newer_format') throw error;
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    return open(path);
  }
}

function open(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    ensurePrivateFile(path);
    database = new DatabaseSync(path);
    // What is deleted is overwritten, and a key that was wiped stays so after a power cut.
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA secure_delete = ON',
    );
    const [check] = database.prepare('PRAGMA quick_check(1)').all();
    if (check?.quick_check !== 'ok') {
      throw failure('storage_corrupt', { path, reason: String(check?.quick_check) });
    }
    checkFormat(database, path, { mustHold: false, supported: migrations.length, applicationId });
    migrate(database, migrations);
    return database;
  } catch (error) {
    database?.close();
    throw storageFailure(error, path);
  }
}
