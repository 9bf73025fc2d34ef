import type { Beginning } from './admission.ts';
import type { KvCache } from './kvCache.ts';
import type { KvSlot } from './kvSlot.ts';
import type { Sequence } from './sequence.ts';

/**
 * Requests that wait for a place, in order of arrival. A smaller one that fits may overtake a larger one that doesn't,
 * but only until the larger one has waited `overtakeBoundMs`: then nobody passes, and the room it needs comes free.
 */
export class WaitingLine {
  readonly #line: Sequence[] = [];
  readonly #overtakeBoundMs: number;

  constructor(overtakeBoundMs: number) {
    this.#overtakeBoundMs = overtakeBoundMs;
  }

  get length(): number {
    return this.#line.length;
  }

  [Symbol.iterator](): IterableIterator<Sequence> {
    return [...this.#line].values();
  }

  push(sequence: Sequence): void {
    this.#line.push(sequence);
  }

  remove(sequence: Sequence): void {
    const index = this.#line.indexOf(sequence);
    if (index >= 0) this.#line.splice(index, 1);
  }

  /**
   * The next request that may start, with its slot; undefined when nobody can. Requests whose state is on disk are sent for it
   * and passed meanwhile; `wake` is called when it has come, or won't.
   */
  next(
    cache: KvCache,
    wake: () => void,
  ): { sequence: Sequence; slot: KvSlot; beginning: Beginning } | undefined {
    const now = performance.now();
    for (const sequence of this.#line) {
      if (sequence.isLoading) continue;
      const { tenant, session, prompt, promptCells, maxOutputTokens } = sequence.request;
      const demand = { tenant, session, prompt, promptCells, outputTokens: maxOutputTokens };
      const admission = cache.canAdmit(demand);
      if (admission.kind === 'now') {
        this.remove(sequence);
        return { sequence, slot: cache.admit(demand, admission), beginning: admission };
      }
      if (admission.kind === 'load') {
        void sequence.load(cache.state, admission).then(wake);
        continue;
      }
      const waitedMs = now - sequence.arrivedAt;
      if (admission.kind === 'full' && waitedMs > this.#overtakeBoundMs) return undefined;
    }
    return undefined;
  }
}
