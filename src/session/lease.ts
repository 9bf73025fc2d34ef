/** The right to work on something, one holder per key, waiting ones in order. In this process only. */
export class KeyedLease {
  readonly #waiting = new Map<string, ((release: () => void) => void)[]>();

  held(key: string): boolean {
    return this.#waiting.has(key);
  }

  /**
   * Gives the function that ends the lease, undefined when it can't be had within `waitMs` (0: at once).
   * @throws the signal's reason when it is aborted meanwhile
   */
  async acquire(key: string, waitMs: number, signal?: AbortSignal): Promise<(() => void) | undefined> {
    signal?.throwIfAborted();
    const queue = this.#waiting.get(key);
    if (!queue) {
      this.#waiting.set(key, []);
      return this.#releaser(key);
    }
    if (waitMs <= 0) return undefined;
    const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>();
    queue.push(resolve);
    const giveUp = () => {
      const place = queue.indexOf(resolve);
      // Not there any more: the lease came at the same moment.
      if (place >= 0) resolve(void queue.splice(place, 1));
    };
    const timer = setTimeout(giveUp, waitMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    const release = await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    if (signal?.aborted) {
      release?.();
      throw signal.reason;
    }
    return release;
  }

  #releaser(key: string): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#waiting.get(key)?.shift();
      if (next) next(this.#releaser(key));
      else this.#waiting.delete(key);
    };
  }
}
