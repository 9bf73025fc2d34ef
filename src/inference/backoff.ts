export interface BackoffOptions {
  /** Wait before the second try; every later one doubles it. */
  readonly baseMs?: number;
  readonly maxMs?: number;
}

/** Waits between tries: none before the first, then `baseMs` doubling up to `maxMs`, until something succeeds. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  #tries = 0;

  constructor({ baseMs = 250, maxMs = 30_000 }: BackoffOptions = {}) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds to wait before the try that is now due. */
  next(): number {
    const tries = this.#tries++;
    return tries === 0 ? 0 : Math.min(this.#baseMs * 2 ** (tries - 1), this.#maxMs);
  }

  succeeded(): void {
    this.#tries = 0;
  }
}
