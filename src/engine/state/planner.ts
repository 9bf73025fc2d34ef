import type { PrefillRate } from '../schedule/prefillRate.ts';

export type PlanTier = 'hot' | 'ram' | 'disk' | 'none';

/** One way to have a prompt's state: what is loaded, and what is left to compute. */
export interface Way {
  readonly tier: PlanTier;
  /** To load. */
  readonly bytes: number;
  /** Prompt tokens to compute, image tokens included. */
  readonly computeTokens: number;
  /** Image tokens among them whose features nobody has. */
  readonly encodeTokens: number;
}

/** What was decided and what came of it. */
export interface Plan {
  readonly tier: PlanTier;
  readonly estimatedMs: number;
}

/** Share of the newest measurement in a running average. */
const newestShare = 0.2;
/** Share of the first one, the rest is the guess: one slow read after a start does not condemn a disk. */
const firstShare = 0.5;
/** How far a speed goes back to its guess each time that it was why a way was not taken. */
const forgottenShare = 0.01;
/** Batches of so many tokens tell what a token takes, smaller ones what a batch takes besides. */
const longBatchTokens = 64;

/** A measured speed: amount per millisecond, and what each time costs besides. */
class Speed {
  #perMs: number;
  #isMeasured = false;
  readonly #guess: number;
  readonly #fixedMs: number;

  constructor(guessPerMs: number, fixedMs = 0) {
    this.#guess = guessPerMs;
    this.#perMs = guessPerMs;
    this.#fixedMs = fixedMs;
  }

  get perMs(): number {
    return this.#perMs;
  }

  note(amount: number, elapsedMs: number): void {
    if (amount <= 0) return;
    const measured = amount / Math.max(elapsedMs - this.#fixedMs, 0.01);
    const share = this.#isMeasured ? newestShare : firstShare;
    this.#perMs = (1 - share) * this.#perMs + share * measured;
    this.#isMeasured = true;
  }

  /** Goes a little back to the guess: what is never tried is never measured again. */
  forgetALittle(): void {
    this.#perMs += forgottenShare * Math.max(0, this.#guess - this.#perMs);
  }

  msFor(amount: number): number {
    return amount <= 0 ? 0 : this.#fixedMs + amount / this.#perMs;
  }
}

/**
 * Estimates the ways back to a prompt's state by what such steps took so far, and picks the cheapest:
 *
 *     ms = bytes / bandwidth of the tier + a step + tokens / prefill rate + image tokens without features / encode rate
 *
 * What is computed without loading anything is always among the ways, so nothing slower than computing again is ever picked.
 * Unmeasured, loading is taken to be fast and computing slow, as on any CPU: the first times teach better.
 */
export class Planner {
  /** Bytes a millisecond from memory into the cache. */
  readonly ram = new Speed(1e6);
  /** Bytes a millisecond from a file, verified and decrypted; and the way to it. */
  readonly disk = new Speed(2e5, 1);
  /** Image tokens a millisecond through the vision tower. */
  readonly encode = new Speed(0.05);
  /** Prompt tokens a millisecond, in long batches. */
  readonly #prefill = new Speed(0.05);
  /** What a batch takes besides its tokens. */
  #stepMs = 0;
  /** How long slices may be is measured by the same steps. */
  readonly #slices: PrefillRate;

  constructor(slices: PrefillRate) {
    this.#slices = slices;
  }

  /** Tells what a native decode of prompt tokens took. */
  notePrefill(tokens: number, elapsedMs: number): void {
    this.#slices.note(tokens, elapsedMs);
    if (tokens >= longBatchTokens)
      this.#prefill.note(tokens, Math.max(elapsedMs - this.#stepMs, 0.5 * elapsedMs));
    else {
      const besidesMs = Math.max(0, elapsedMs - this.#prefill.msFor(tokens));
      this.#stepMs =
        this.#stepMs === 0 ? besidesMs : (1 - newestShare) * this.#stepMs + newestShare * besidesMs;
    }
  }

  estimateMs({ tier, bytes, computeTokens, encodeTokens }: Way): number {
    const loadMs = this.ram.msFor(bytes) + (tier === 'disk' ? this.disk.msFor(bytes) : 0);
    return loadMs + this.#computeMs(computeTokens) + this.encode.msFor(encodeTokens);
  }

  /** The cheapest way; of equal ones the first. */
  choose(ways: readonly [Way, ...Way[]]): Way {
    let best = ways[0];
    for (const way of ways) if (this.estimateMs(way) < this.estimateMs(best)) best = way;
    for (const { tier } of ways) {
      if (tier === best.tier) continue;
      if (tier === 'disk') this.disk.forgetALittle();
      if (tier === 'ram') this.ram.forgetALittle();
    }
    return best;
  }

  #computeMs(tokens: number): number {
    if (tokens <= 0) return 0;
    return this.#stepMs + this.#prefill.msFor(tokens);
  }
}
