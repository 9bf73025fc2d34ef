import { median } from '../engine/figures.ts';

export interface Spread {
  readonly medianMs: number;
  /** Nearest rank. */
  readonly p99Ms: number;
}

/** @throws RangeError without a value */
export function spreadOf(timesMs: readonly number[]): Spread {
  const sorted = [...timesMs].sort((left, right) => left - right);
  return { medianMs: median(sorted), p99Ms: sorted[Math.ceil(sorted.length * 0.99) - 1] as number };
}

export async function timed(work: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
