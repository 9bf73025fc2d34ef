import type { DatabaseSync } from 'node:sqlite';

/**
 * Empties the write-ahead log soon after a write. SQLite only starts it over when it is full: until then it holds what was
 * deleted or replaced, whatever `secure_delete` does to the database itself.
 *
 * Costs one checkpoint per `delayMs` in which something was written; of the pages written in it, each once.
 */
export class LogScrubber {
  readonly #database: DatabaseSync;
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** Also empties what a process that was killed has left. The database stays the caller's. */
  constructor(database: DatabaseSync, delayMs: number) {
    this.#database = database;
    this.#delayMs = delayMs;
    this.wrote();
  }

  wrote(): void {
    this.#timer ??= setTimeout(() => this.#scrub(), this.#delayMs).unref();
  }

  /** Closing the database empties the log by itself. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #scrub(): void {
    this.#timer = undefined;
    if (!this.#isEmptied()) this.wrote();
  }

  /** False while a tool of the administrator reads, and on errors of the disk, which the next commit tells its caller. */
  #isEmptied(): boolean {
    const { timeout } = this.#database.prepare('PRAGMA busy_timeout').get() as { timeout: number };
    this.#database.exec('PRAGMA busy_timeout = 0');
    try {
      return this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
    } catch {
      return false;
    } finally {
      this.#database.exec(`PRAGMA busy_timeout = ${timeout}`);
    }
  }
}
