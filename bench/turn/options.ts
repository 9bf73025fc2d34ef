import { parseArgs } from 'node:util';

export const usage = `node bench/turn.ts [options]

Measures what a turn costs besides the engine: HTTP, checks, the session's record, two commits, the reply.
--rounds N     sessions of each kind; 100, or 2 with --quick
--folder DIR   where the data is written, on the disk to measure; default: a temporary folder
--quick        small counts, to see that it works
--json FILE    writes the figures there, too`;

export interface TurnBenchOptions {
  readonly rounds: number;
  /** The turns of a session that are measured, ascending; all up to the last are run. */
  readonly turns: readonly number[];
  readonly parentFolder: string | undefined;
  readonly jsonPath: string | undefined;
}

/** What the user got wrong on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const flags = {
  rounds: { type: 'string' },
  folder: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
} as const;

/** @throws UsageError */
export function turnBenchOptions(args: readonly string[]): TurnBenchOptions {
  const { rounds, folder, quick, json } = parse(args);
  if (rounds !== undefined && !/^[1-9]\d*$/.test(rounds)) {
    throw new UsageError(`--rounds: a whole number of at least 1 is needed, got ${rounds}`);
  }
  return {
    rounds: Number(rounds ?? (quick ? 2 : 100)),
    turns: quick ? [1, 2] : [1, 10, 50],
    parentFolder: folder,
    jsonPath: json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}
