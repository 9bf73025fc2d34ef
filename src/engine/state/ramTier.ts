import type { Checkpoint } from './checkpoint.ts';

/** Checkpoints whose state is in memory, least recently used first, and how many bytes that is. Drops nothing by itself. */
export class RamTier {
  readonly maxBytes: number;
  #bytes = 0;
  readonly #held = new Set<Checkpoint>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#held.size;
  }

  /** Least recently used first. */
  [Symbol.iterator](): IterableIterator<Checkpoint> {
    return [...this.#held].values();
  }

  put(checkpoint: Checkpoint, state: Uint8Array): void {
    this.drop(checkpoint);
    checkpoint.state = state;
    this.#held.add(checkpoint);
    this.#bytes += state.length;
  }

  touch(checkpoint: Checkpoint): void {
    if (this.#held.delete(checkpoint)) this.#held.add(checkpoint);
  }

  drop(checkpoint: Checkpoint): void {
    if (!this.#held.delete(checkpoint)) return;
    this.#bytes -= checkpoint.bytes;
    checkpoint.state = undefined;
  }
}
