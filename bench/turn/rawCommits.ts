import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

const blobBytes = 4096;
const rows = 64;

/** The least a durable write can cost with SQLite: one row of 4 KB replaced in a database of its own. */
export class RawCommits implements Disposable {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  #count = 0;

  constructor(folder: string) {
    this.#database = new DatabaseSync(join(folder, 'raw.db'));
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    this.#database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT');
    this.#put = this.#database.prepare('REPLACE INTO rows VALUES (?, ?)');
  }

  commit(): void {
    this.#put.run(this.#count++ % rows, new Uint8Array(blobBytes).fill(this.#count));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
