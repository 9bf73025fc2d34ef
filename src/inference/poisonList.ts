import { failure } from '../core/errors.ts';

export interface PoisonOptions {
  /** Engine deaths after which a request is refused. */
  readonly maxKills?: number;
  /** Requests remembered; the one that has gone longest without being part of a death is forgotten first. */
  readonly capacity?: number;
}

/**
 * Which requests were running when the engine died, and how often. One death says nothing about one request (they share
 * the engine), three do. A success clears a request's count.
 */
export class PoisonList {
  readonly #maxKills: number;
  readonly #capacity: number;
  /** Request digest -> deaths, oldest death first. */
  readonly #kills = new Map<string, number>();

  constructor({ maxKills = 3, capacity = 1000 }: PoisonOptions = {}) {
    this.#maxKills = maxKills;
    this.#capacity = capacity;
  }

  /** @throws AfterimageError `poison_request` */
  check(requestDigest: string): void {
    const kills = this.#kills.get(requestDigest) ?? 0;
    if (kills >= this.#maxKills) throw failure('poison_request', { kills });
  }

  engineDiedWith(requestDigest: string): void {
    const kills = (this.#kills.get(requestDigest) ?? 0) + 1;
    this.#kills.delete(requestDigest);
    this.#kills.set(requestDigest, kills);
    if (this.#kills.size <= this.#capacity) return;
    for (const oldest of this.#kills.keys()) {
      this.#kills.delete(oldest);
      break;
    }
  }

  succeeded(requestDigest: string): void {
    this.#kills.delete(requestDigest);
  }
}
