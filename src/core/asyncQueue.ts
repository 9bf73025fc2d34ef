/**
 * Values pushed by one side, taken by one reader in order. What is not taken yet stays in memory, so the pushing side must
 * be bounded by something else. The first of `end` and `fail` wins; later pushes are dropped.
 */
export class AsyncQueue<T extends object> implements AsyncIterableIterator<T, undefined> {
  readonly #values: T[] = [];
  #closed: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  push(value: T): void {
    if (this.#closed) return;
    this.#values.push(value);
    this.#wake?.();
  }

  /** The reader still gets what was pushed before. */
  end(): void {
    this.#close({});
  }

  /** The reader gets the error next, whatever was pushed before: who waits for bad news should not wait longer. */
  fail(error: unknown): void {
    if (this.#closed) return;
    this.#values.length = 0;
    this.#close({ error });
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    while (this.#values.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#values.shift();
    if (value !== undefined) return { done: false, value };
    if (this.#closed && 'error' in this.#closed) throw this.#closed.error;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(how: { readonly error?: unknown }): void {
    this.#closed ??= how;
    this.#wake?.();
  }
}
