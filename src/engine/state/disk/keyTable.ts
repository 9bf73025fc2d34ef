import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { keyBytes, pieceSource, seal, unseal } from '../../../files/seal.ts';
import { scopeName } from '../checkpoint.ts';

/** A row of `objects` with whose it is. */
export interface ObjectRow {
  readonly id: string;
  readonly kind: string;
  readonly tenant: string;
  /** Name of the scope. */
  readonly name: string;
  readonly fingerprint: string;
  readonly salt: Uint8Array;
  readonly bytes: number;
  readonly usedMs: number;
}

const columns =
  'o.id, o.kind, s.tenant, s.name, o.fingerprint, o.salt, o.bytes, o.used_ms AS usedMs FROM objects o JOIN scopes s ON s.id = o.scope';

/** Data keys by tenant and scope, the sessions that use shared scopes, and the register of objects. */
export class KeyTable {
  readonly #database: DatabaseSync;
  readonly #masterKey: Uint8Array;

  /** The database becomes the table's. */
  constructor(database: DatabaseSync, masterKey: Uint8Array) {
    this.#database = database;
    this.#masterKey = masterKey;
  }

  /** Undefined: there is none, or the master key is not the one that it was sealed under. */
  dataKey(tenant: string, name: string): Uint8Array | undefined {
    const row = this.#database
      .prepare('SELECT sealed_key AS sealed FROM scopes WHERE tenant = ? AND name = ?')
      .get(tenant, name) as { sealed: Uint8Array } | undefined;
    return row && unseal(this.#masterKey, pieceSource(row.sealed), belonging(tenant, name));
  }

  /** Makes one where there is none, or none that opens. */
  newDataKey(tenant: string, name: string): Uint8Array {
    const key = randomBytes(keyBytes);
    const sealed = seal(this.#masterKey, key, belonging(tenant, name));
    this.#database
      .prepare(
        'INSERT INTO scopes (tenant, name, sealed_key) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sealed_key = excluded.sealed_key',
      )
      .run(tenant, name, sealed);
    return key;
  }

  use(tenant: string, image: string, session: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO uses VALUES (?, ?, ?)').run(tenant, image, session);
  }

  isUsed(tenant: string, image: string): boolean {
    return (
      this.#database.prepare('SELECT 1 FROM uses WHERE tenant = ? AND image = ?').get(tenant, image) !==
      undefined
    );
  }

  sessions(): { tenant: string; session: string }[] {
    const rows = this.#database
      .prepare(
        `SELECT tenant, session FROM uses
         UNION SELECT tenant, substr(name, 9) FROM scopes WHERE name GLOB 'session:*'`,
      )
      .all();
    return rows.map(({ tenant, session }) => ({ tenant: String(tenant), session: String(session) }));
  }

  object(id: string): ObjectRow | undefined {
    return this.#database.prepare(`SELECT ${columns} WHERE o.id = ?`).get(id) as ObjectRow | undefined;
  }

  /** Last used first. */
  objects(): ObjectRow[] {
    return this.#database
      .prepare(`SELECT ${columns} ORDER BY o.used_ms DESC`)
      .all() as unknown as ObjectRow[];
  }

  /** What goes first: snapshots, then features, which may be all that is left of a picture; of each the least recently used. */
  firstToGo(limit: number): ObjectRow[] {
    return this.#database
      .prepare(`SELECT ${columns} ORDER BY o.kind = 'features', o.used_ms LIMIT ?`)
      .all(limit) as unknown as ObjectRow[];
  }

  register(row: ObjectRow): void {
    this.#database
      .prepare('INSERT INTO objects SELECT ?, id, ?, ?, ?, ?, ? FROM scopes WHERE tenant = ? AND name = ?')
      .run(row.id, row.kind, row.fingerprint, row.salt, row.bytes, row.usedMs, row.tenant, row.name);
  }

  touch(id: string, usedMs: number): void {
    this.#database.prepare('UPDATE objects SET used_ms = ? WHERE id = ?').run(usedMs, id);
  }

  unregister(ids: readonly string[]): void {
    this.#atOnce(() => {
      for (const id of ids) this.#database.prepare('DELETE FROM objects WHERE id = ?').run(id);
    });
  }

  /**
   * Wipes the keys of a session and of what only it used, or all of a tenant, with their objects' rows, which are returned.
   * When it returns no file of ours holds the keys any more, not even sealed.
   */
  forget(tenant: string, session: string | undefined): ObjectRow[] {
    const gone = this.#atOnce(() => {
      const names = session === undefined ? this.#namesOf(tenant) : this.#leftBy(tenant, session);
      return names.flatMap((name) => this.#wipe(tenant, name));
    });
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return gone;
  }

  /** Of a session's own scope, or of all of a tenant's. */
  objectsOf(tenant: string, session: string | undefined): ObjectRow[] {
    const all = this.#database
      .prepare(`SELECT ${columns} WHERE s.tenant = ?`)
      .all(tenant) as unknown as ObjectRow[];
    return session === undefined ? all : all.filter(({ name }) => name === scopeName({ session }));
  }

  close(): void {
    this.#database.close();
  }

  #namesOf(tenant: string): string[] {
    this.#database.prepare('DELETE FROM uses WHERE tenant = ?').run(tenant);
    const rows = this.#database.prepare('SELECT name FROM scopes WHERE tenant = ?').all(tenant);
    return rows.map(({ name }) => String(name));
  }

  #leftBy(tenant: string, session: string): string[] {
    const used = this.#database
      .prepare('DELETE FROM uses WHERE tenant = ? AND session = ? RETURNING image')
      .all(tenant, session)
      .map(({ image }) => String(image));
    const left = used.filter((image) => !this.isUsed(tenant, image));
    return [scopeName({ session }), ...left.map((image) => scopeName({ image }))];
  }

  #wipe(tenant: string, name: string): ObjectRow[] {
    const objects = this.#database
      .prepare(`SELECT ${columns} WHERE s.tenant = ? AND s.name = ?`)
      .all(tenant, name) as unknown as ObjectRow[];
    for (const { id } of objects) this.#database.prepare('DELETE FROM objects WHERE id = ?').run(id);
    this.#database.prepare('DELETE FROM scopes WHERE tenant = ? AND name = ?').run(tenant, name);
    return objects;
  }

  #atOnce<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

const belonging = (tenant: string, name: string): Buffer =>
  Buffer.from(JSON.stringify(['key', tenant, name]));
