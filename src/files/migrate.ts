import type { DatabaseSync } from 'node:sqlite';
import { failure } from '../core/errors.ts';

/**
 * Refuses what this version must not touch, before anything is written.
 * @param applicationId SQLite's `application_id`: whose database it is
 * @param supported the newest format known, SQLite's `user_version`
 * @param mustHold a database without tables is not a new one but one that lost them.
 * @throws AfterimageError storage_corrupt, storage_newer_format
 */
export function checkFormat(
  database: DatabaseSync,
  path: string,
  { mustHold, supported, applicationId }: { mustHold: boolean; supported: number; applicationId: number },
): void {
  const format = pragma(database, 'user_version');
  if (format === 0 && isEmpty(database)) {
    if (mustHold) throw failure('storage_corrupt', { path, reason: 'its tables are missing' });
    return;
  }
  if (pragma(database, 'application_id') !== applicationId) {
    throw failure('storage_corrupt', { path, reason: 'it is a database of another program' });
  }
  if (format > supported) throw failure('storage_newer_format', { path, format, supported });
}

/** Brings the database to the latest format: all steps it needs, or none of them. */
export function migrate(database: DatabaseSync, migrations: readonly string[]): void {
  const steps = migrations.slice(pragma(database, 'user_version'));
  if (steps.length === 0) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const step of steps) database.exec(step);
    database.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`);
  } catch (error) {
    // Some errors, a full disk among them, have rolled it back already.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
}

function pragma(database: DatabaseSync, name: string): number {
  return database.prepare(`PRAGMA ${name}`).get()?.[name] as number;
}
