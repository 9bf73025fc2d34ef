/**
 * Longest time one slice should take: while others are answering, and while nobody is. Whoever comes meanwhile waits
 * for its end.
 */
const sliceMsWhileAnswering = 150;
const sliceMsAlone = 1000;
const minSliceTokens = 16;

/** Measured prefill speed, and how many prompt tokens one slice may have by it. */
export class PrefillRate {
  #tokensPerMs = 0;

  note(tokens: number, elapsedMs: number): void {
    // A handful of tokens costs about as much as one: they say nothing about the rate of a long prompt.
    if (tokens < minSliceTokens) return;
    const rate = tokens / Math.max(elapsedMs, 0.01);
    this.#tokensPerMs = this.#tokensPerMs === 0 ? rate : this.#tokensPerMs * 0.8 + rate * 0.2;
  }

  /** Unmeasured, a slice is small: the first one teaches the rate. */
  sliceTokens(othersAnswer: boolean): number {
    const budgetMs = othersAnswer ? sliceMsWhileAnswering : sliceMsAlone;
    if (this.#tokensPerMs === 0) return 64;
    return Math.max(minSliceTokens, Math.floor(this.#tokensPerMs * budgetMs));
  }
}
