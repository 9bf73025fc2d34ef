const words = (name: string): string[] => name.split(/(?=[A-Z])/);

/** `idleTtlMs` in the environment: `AFTERIMAGE_IDLE_TTL_MS`. */
export const variableOf = (name: string): string => `AFTERIMAGE_${words(name).join('_').toUpperCase()}`;
/** `idleTtlMs` on the command line: `--idle-ttl-ms`. */
export const flagOf = (name: string): string => `--${words(name).join('-').toLowerCase()}`;

/** The known name that takes the fewest changes to get to; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((one) => ({ one, changes: changesBetween(name.toLowerCase(), one.toLowerCase()) }))
    .sort((a, b) => a.changes - b.changes);
  const [best] = ranked;
  return best && best.changes <= Math.max(2, best.one.length / 3) ? best.one : undefined;
}

/** Levenshtein distance: letters added, removed or replaced. */
function changesBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
