import { type Stats, statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { failure } from '../../core/errors.ts';
import type { LogScrubber } from '../../files/logScrubber.ts';
import { storageFailure } from '../../files/storageFailure.ts';
import { checkNames } from '../names.ts';
import type { RecordKey, RecordStore, RecordWrite, StoredRecord } from '../port.ts';
import { checkDatabase } from './database.ts';

interface Row {
  readonly tenant: string;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly value: Uint8Array;
  readonly expiresAtMs: number | null;
}

const columns = 'tenant, kind, id, version, value, expires_at_ms AS expiresAtMs';
const thisRecord = 'tenant = ? AND kind = ? AND id = ?';

/**
 * Records in one SQLite table. Every call is one transaction on the only writing connection and runs to its end before it
 * returns, a write with its fsync: calls never overlap, and the process waits for the disk. A thread of its own would cost
 * a small record more than the disk does.
 */
export class SqliteRecords implements RecordStore {
  readonly #database: DatabaseSync;
  readonly #path: string;
  /** The file as it was opened. */
  readonly #opened: Stats | undefined;
  readonly #scrubber: LogScrubber;
  readonly #statements;

  /** The database and the scrubber of its log stay the caller's, to be closed after the last call. */
  constructor(database: DatabaseSync, path: string, scrubber: LogScrubber) {
    this.#database = database;
    this.#path = path;
    this.#opened = statSync(path, { throwIfNoEntry: false });
    this.#scrubber = scrubber;
    this.#statements = prepare(database);
  }

  async get({ tenant, kind, id }: RecordKey): Promise<StoredRecord | undefined> {
    return this.#run({ tenant, kind, id }, ({ get }) => {
      const row = get.get(tenant, kind, id) as unknown as Row | undefined;
      return row && toRecord(row);
    });
  }

  async compareAndSet(
    { tenant, kind, id }: RecordKey,
    expectedVersion: number,
    value: Uint8Array,
    expiresAtMs: number | null,
  ): Promise<number | undefined> {
    return this.#write(
      { tenant, kind, id },
      (statements) => {
        this.#checkInPlace();
        const write = { key: { tenant, kind, id }, expectedVersion, value, expiresAtMs };
        return apply(write, statements) ? expectedVersion + 1 : undefined;
      },
      value.length,
    );
  }

  async touch(
    { tenant, kind, id }: RecordKey,
    version: number,
    expiresAtMs: number | null,
  ): Promise<boolean> {
    return this.#write({ tenant, kind, id }, ({ touch }) => {
      this.#checkInPlace();
      return touch.run(expiresAtMs, tenant, kind, id, version).changes === 1;
    });
  }

  async delete({ tenant, kind, id }: RecordKey, expectedVersion?: number): Promise<boolean> {
    return this.#write({ tenant, kind, id }, (statements) => {
      const { changes } =
        expectedVersion === undefined
          ? statements.delete.run(tenant, kind, id)
          : statements.deleteVersion.run(tenant, kind, id, expectedVersion);
      return changes === 1;
    });
  }

  async writeAll(writes: readonly RecordWrite[]): Promise<boolean[]> {
    if (writes.length === 0) return [];
    for (const { key } of writes) checkNames(key);
    const bytes = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    return this.#write(
      {},
      (statements) => {
        if (writes.some(({ value }) => value !== null)) this.#checkInPlace();
        this.#database.exec('BEGIN IMMEDIATE');
        try {
          const matched = writes.map((write) => apply(write, statements));
          this.#database.exec('COMMIT');
          return matched;
        } catch (error) {
          // Some errors have ended the transaction already.
          if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
          throw error;
        }
      },
      bytes,
    );
  }

  async list(
    tenant: string,
    kind: string,
    { afterId, limit }: { afterId?: string; limit: number },
  ): Promise<StoredRecord[]> {
    return this.#run({ tenant, kind, afterId }, ({ list, listAfter }) => {
      const rows =
        afterId === undefined ? list.all(tenant, kind, limit) : listAfter.all(tenant, kind, afterId, limit);
      return (rows as unknown as Row[]).map(toRecord);
    });
  }

  async takeExpired(kind: string, nowMs: number, limit: number): Promise<StoredRecord[]> {
    return this.#write({ kind }, ({ takeExpired }) => {
      const rows = takeExpired.all(kind, nowMs, limit) as unknown as Row[];
      // RETURNING promises no order.
      return rows.sort((a, b) => Number(a.expiresAtMs) - Number(b.expiresAtMs)).map(toRecord);
    });
  }

  async listExpired(kind: string, nowMs: number, limit: number): Promise<StoredRecord[]> {
    return this.#run({ kind }, ({ listExpired }) => {
      return (listExpired.all(kind, nowMs, limit) as unknown as Row[]).map(toRecord);
    });
  }

  async count(kind: string): Promise<number> {
    return this.#run({ kind }, ({ count }) => count.get(kind)?.count as number);
  }

  /** Blocks the process for as long as reading the file takes; one line per damage. */
  async checkIntegrity(): Promise<string[]> {
    return this.#run({}, () => checkDatabase(this.#database, this.#path));
  }

  /** Whether the file lies where it was opened. */
  get isInPlace(): boolean {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    return found !== undefined && found.ino === this.#opened?.ino && found.dev === this.#opened.dev;
  }

  /**
   * A file that was deleted or moved while it is open still takes writes, and all of them are lost with the process: nobody may
   * be told that they were kept.
   */
  #checkInPlace(): void {
    if (this.isInPlace) return;
    const reason =
      'it was deleted, moved or replaced while the server ran; put it back, or start the server again';
    throw failure('storage_unavailable', { path: this.#path, reason });
  }

  #write<T>(names: object, work: (statements: Statements) => T, bytes?: number): T {
    const result = this.#run(names, work, bytes);
    this.#scrubber.wrote();
    return result;
  }

  #run<T>(names: object, work: (statements: Statements) => T, bytes?: number): T {
    checkNames(names);
    if (!this.#database.isOpen) {
      throw failure('storage_unavailable', { path: this.#path, reason: 'it was closed' });
    }
    try {
      return work(this.#statements);
    } catch (error) {
      throw storageFailure(error, this.#path, bytes);
    }
  }
}

type Statements = ReturnType<typeof prepare>;

/** False when the version doesn't match. */
function apply({ key, expectedVersion, value, expiresAtMs }: RecordWrite, statements: Statements): boolean {
  const { tenant, kind, id } = key;
  const { changes } =
    value === null
      ? statements.deleteVersion.run(tenant, kind, id, expectedVersion)
      : expectedVersion === 0
        ? statements.insert.run(tenant, kind, id, value, expiresAtMs)
        : statements.update.run(value, expiresAtMs, tenant, kind, id, expectedVersion);
  return changes === 1;
}

function prepare(database: DatabaseSync) {
  const statement = (sql: string): StatementSync => database.prepare(sql);
  return {
    get: statement(`SELECT ${columns} FROM records WHERE ${thisRecord}`),
    insert: statement('INSERT INTO records VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING'),
    update: statement(
      `UPDATE records SET version = version + 1, value = ?, expires_at_ms = ? WHERE ${thisRecord} AND version = ?`,
    ),
    touch: statement(`UPDATE records SET expires_at_ms = ? WHERE ${thisRecord} AND version = ?`),
    delete: statement(`DELETE FROM records WHERE ${thisRecord}`),
    deleteVersion: statement(`DELETE FROM records WHERE ${thisRecord} AND version = ?`),
    list: statement(`SELECT ${columns} FROM records WHERE tenant = ? AND kind = ? ORDER BY id LIMIT ?`),
    listAfter: statement(
      `SELECT ${columns} FROM records WHERE tenant = ? AND kind = ? AND id > ? ORDER BY id LIMIT ?`,
    ),
    takeExpired: statement(
      `DELETE FROM records WHERE rowid IN (
         SELECT rowid FROM records WHERE kind = ? AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?
       ) RETURNING ${columns}`,
    ),
    listExpired: statement(
      `SELECT ${columns} FROM records WHERE kind = ? AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?`,
    ),
    count: statement('SELECT count(*) AS count FROM records WHERE kind = ?'),
  };
}

function toRecord({ tenant, kind, id, version, value, expiresAtMs }: Row): StoredRecord {
  return { key: { tenant, kind, id }, version, value, expiresAtMs };
}
