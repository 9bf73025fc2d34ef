/**
 * A set of item indices in ascending order, as pairs of first and one past last: [0, 4, 9, 11] is 0-3 and 9-10. The items of a
 * branch are few runs however long it is.
 */
export type ItemRuns = readonly number[];

export function runOf(first: number, count: number): ItemRuns {
  return count > 0 ? [first, first + count] : [];
}

/** Both must be ascending, `b` after `a`. */
export function joinRuns(a: ItemRuns, b: ItemRuns): ItemRuns {
  const last = a.at(-1);
  return last !== undefined && last === b[0] ? [...a.slice(0, -1), ...b.slice(1)] : [...a, ...b];
}

export function* indicesOf(runs: ItemRuns): Generator<number> {
  for (let i = 0; i < runs.length; i += 2) {
    for (let index = runs[i] as number; index < (runs[i + 1] as number); index++) yield index;
  }
}

export function withoutIndex(runs: ItemRuns, removed: number): ItemRuns {
  let kept: ItemRuns = [];
  for (const index of indicesOf(runs)) if (index !== removed) kept = joinRuns(kept, runOf(index, 1));
  return kept;
}
