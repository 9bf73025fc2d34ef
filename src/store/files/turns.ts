/** Work on the same name runs one after the other in the order it was given; other names go on meanwhile. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const mine = before ? before.then(work, work) : work();
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }

  /** Resolves when everything given so far has ended, well or not. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
