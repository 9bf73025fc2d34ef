import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment, environment } from '../engine/environment.ts';
import type { TurnBenchOptions } from './options.ts';
import { RawCommits } from './rawCommits.ts';
import { BenchServer } from './server.ts';
import { runSession, type SessionKind } from './session.ts';
import { type Spread, spreadOf, timed } from './spread.ts';

export interface TurnBenchReport {
  readonly environment: Environment;
  readonly rounds: number;
  /** One SQLite commit of 4 KB beside the server's data. */
  readonly rawCommit: Spread;
  /** A request that does nothing, to the same server over the same connection. */
  readonly emptyRequest: Spread;
  readonly turns: readonly (SessionKind & Spread & { readonly turn: number })[];
}

const kinds: readonly SessionKind[] = (['conversation', 'chain'] as const).flatMap((place) =>
  [false, true].map((streamed) => ({ place, streamed })),
);
const warmUpRounds = 3;
const rawPerRound = 20;

/** Measures; `onProgress` hears what is being done. All kinds and the raw commits take turns, so that noise meets all. */
export async function runTurnBench(
  { rounds, turns, parentFolder = tmpdir() }: TurnBenchOptions,
  onProgress: (line: string) => void,
): Promise<TurnBenchReport> {
  const where = await environment();
  const folder = await mkdtemp(join(parentFolder, 'afterimage-bench-'));
  try {
    await using server = await BenchServer.start(folder);
    using raw = new RawCommits(folder);
    const found = { raw: [] as number[], empty: [] as number[], turns: kinds.map(() => [] as number[][]) };
    for (let round = 1 - warmUpRounds; round <= rounds; round++) {
      onProgress(round < 1 ? 'warming up' : `round ${round} of ${rounds}`);
      const counts = round >= 1;
      for (const [index, kind] of kinds.entries()) {
        const timesMs = await runSession(server, kind, turns.at(-1) ?? 0);
        if (counts) found.turns[index]?.push(timesMs);
      }
      for (let n = 0; n < rawPerRound; n++) {
        const rawMs = await timed(() => raw.commit());
        const emptyMs = await timed(() => server.ask('GET', '/livez'));
        if (!counts) continue;
        found.raw.push(rawMs);
        found.empty.push(emptyMs);
      }
    }
    return {
      environment: where,
      rounds,
      rawCommit: spreadOf(found.raw),
      emptyRequest: spreadOf(found.empty),
      turns: kinds.flatMap((kind, index) =>
        turns.map((turn) => {
          const timesMs = (found.turns[index] ?? []).map((session) => session[turn - 1] as number);
          return { ...kind, turn, ...spreadOf(timesMs) };
        }),
      ),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
