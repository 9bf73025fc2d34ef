import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { failure } from '../core/errors.ts';
import { ensureFolderSync } from '../files/folders.ts';
import { storageFailure } from '../files/storageFailure.ts';
import { openKeyDatabase } from './keyDatabase.ts';
import { keyHash, keyPattern, newKey, newKeyId } from './newKey.ts';

/** Per minute; null is no limit, what is left out the server's setting decides. */
export interface KeyLimits {
  readonly requests?: number | null;
  readonly tokens?: number | null;
  readonly pictures?: number | null;
}

/** Whom a key stands for. */
export interface KeyOwner {
  readonly tenant: string;
  readonly keyId: string;
  readonly limits: KeyLimits;
}

/** A key as it is listed. */
export interface KeyInfo extends KeyOwner {
  readonly name: string;
  readonly createdAtMs: number;
  /** `2026-11-30`, UTC; null: never. */
  readonly lastUsedDay: string | null;
}

interface Row {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly limits: string;
  readonly createdAtMs: number;
  readonly lastUsedDay: string | null;
}

const columns = 'id, tenant, name, limits, created_at_ms AS createdAtMs, last_used_day AS lastUsedDay';
const tenantPattern = /^[a-z0-9_-]{1,64}$/;
const maxNameLength = 100;

/**
 * The API keys of a data folder, in a file that several processes may have open: what one of them changes holds for the next
 * call of every other. Of a key only its SHA-256 is kept.
 *
 * Every call can throw storage_unavailable and storage_corrupt, those that change something storage_full and storage_read_only.
 */
export class KeyTable {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #onProblem: (error: unknown) => void;
  /** `<key id> <day>` of uses that were noted, or couldn't be: once a day is enough to try. */
  readonly #noted = new Set<string>();

  /**
   * Makes the file and its folder if they are missing. The caller closes it.
   * @param onProblem told when the day of a use could not be noted
   */
  constructor(path: string, onProblem: (error: unknown) => void) {
    this.#path = path;
    this.#onProblem = onProblem;
    try {
      ensureFolderSync(dirname(path));
    } catch (error) {
      throw storageFailure(error, path);
    }
    this.#database = openKeyDatabase(path);
    this.#statements = prepare(this.#database);
  }

  /**
   * Makes a key. It can't be shown a second time.
   * @throws invalid_parameter for a tenant other than 1 to 64 of a-z, 0-9, _ and -, a name over 100 characters, a limit below 1
   */
  add(options: { tenant: string; name?: string; limits?: KeyLimits }): { id: string; key: string } {
    const { tenant, name = '', limits = {} } = options;
    if (!tenantPattern.test(tenant)) {
      throw invalid('tenant', `must be 1 to 64 of a-z, 0-9, _ and -, got ${JSON.stringify(tenant)}`);
    }
    if (name.length > maxNameLength) {
      throw invalid('name', `may have ${maxNameLength} characters, has ${name.length}`);
    }
    for (const [unit, limit] of Object.entries(limits)) {
      if (limit === null || (Number.isSafeInteger(limit) && limit >= 1)) continue;
      throw invalid(`${unit}-per-minute`, `must be a whole number from 1, got ${limit}`);
    }
    const [id, key] = [newKeyId(), newKey()];
    this.#run(({ insert }) => insert.run(id, keyHash(key), tenant, name, JSON.stringify(limits), Date.now()));
    return { id, key };
  }

  /** Oldest first. */
  list(): KeyInfo[] {
    const rows = this.#run(({ list }) => list.all()) as unknown as Row[];
    return rows.map((row) => ({
      ...ownerOf(row),
      name: row.name,
      createdAtMs: row.createdAtMs,
      lastUsedDay: row.lastUsedDay,
    }));
  }

  get isEmpty(): boolean {
    return this.#run(({ any }) => any.get()) === undefined;
  }

  /** False when there is no such key. */
  revoke(id: string): boolean {
    return this.#run(({ remove }) => remove.run(id)).changes === 1;
  }

  /**
   * The table is asked anew each time, so a revoked key is refused from then on. Nothing of a key is compared byte by byte: what
   * is looked up is its hash.
   */
  authenticate(key: string): KeyOwner | undefined {
    if (!keyPattern.test(key)) return undefined;
    const row = this.#run(({ find }) => find.get(keyHash(key))) as Row | undefined;
    if (!row) return undefined;
    this.#noteUse(row);
    return ownerOf(row);
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #noteUse({ id, lastUsedDay }: Row): void {
    const day = new Date().toISOString().slice(0, 10);
    const use = `${id} ${day}`;
    if (lastUsedDay === day || this.#noted.has(use)) return;
    this.#noted.add(use);
    try {
      this.#run(({ used }) => used.run(day, id));
    } catch (error) {
      this.#onProblem(error);
    }
  }

  #run<T>(work: (statements: ReturnType<typeof prepare>) => T): T {
    if (!this.#database.isOpen) {
      throw failure('storage_unavailable', { path: this.#path, reason: 'it was closed' });
    }
    try {
      return work(this.#statements);
    } catch (error) {
      throw storageFailure(error, this.#path);
    }
  }
}

function prepare(database: DatabaseSync) {
  return {
    insert: database.prepare('INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, NULL)'),
    list: database.prepare(`SELECT ${columns} FROM keys ORDER BY created_at_ms, id`),
    any: database.prepare('SELECT 1 FROM keys LIMIT 1'),
    remove: database.prepare('DELETE FROM keys WHERE id = ?'),
    find: database.prepare(`SELECT ${columns} FROM keys WHERE hash = ?`),
    used: database.prepare('UPDATE keys SET last_used_day = ? WHERE id = ?'),
  };
}

const ownerOf = ({ id, tenant, limits }: Row): KeyOwner => ({
  tenant,
  keyId: id,
  limits: JSON.parse(limits),
});

const invalid = (param: string, problem: string) => failure('invalid_parameter', { param, problem });
