import { table } from '../../src/cli/table.ts';
import type { TurnBenchReport } from './run.ts';
import type { Spread } from './spread.ts';

/** The report as people read it. */
export function turnTable(report: TurnBenchReport): string {
  const { environment, rounds, rawCommit, emptyRequest, turns } = report;
  const head = table([
    ['Date', environment.date],
    ['Commit', environment.commit],
    ['Machine', `${environment.cpu}, ${environment.cores} cores, ${environment.platform}`],
    ['Memory', `${environment.freeMemoryGiB.toFixed(1)} of ${environment.memoryGiB.toFixed(1)} GiB free`],
    ['Load', `${environment.loadAverage.toFixed(2)} before the start`],
    ['Node', environment.node],
    ['Measured', `${rounds} sessions of each kind, scripted engine without delay, one client`],
  ]);
  const row = (name: string, { medianMs, p99Ms }: Spread): string[] => [
    name,
    medianMs.toFixed(2),
    p99Ms.toFixed(2),
    (medianMs / rawCommit.medianMs).toFixed(1),
  ];
  const body = table([
    ['', 'median ms', 'p99 ms', 'commits'],
    row('one SQLite commit of 4 KB', rawCommit),
    row('an empty request', emptyRequest),
    ...turns.map((found) =>
      row(`${found.place}, ${found.streamed ? 'streamed' : 'whole'}, turn ${found.turn}`, found),
    ),
  ]);
  return `${head}\n${body}\n${growth(report)}\n`;
}

function growth({ turns }: TurnBenchReport): string {
  const each = turns.flatMap((first, index) => {
    const last = turns.findLast(
      ({ place, streamed }) => place === first.place && streamed === first.streamed,
    );
    const isFirst = turns.findIndex((one) => one.place === first.place && one.streamed === first.streamed);
    if (isFirst !== index || !last || last.turn === first.turn) return [];
    const perTurnMs = (last.medianMs - first.medianMs) / (last.turn - first.turn);
    return `${(perTurnMs * 1_000).toFixed(0)} us (${first.place}, ${first.streamed ? 'streamed' : 'whole'})`;
  });
  return `Each earlier turn of a session adds ${each.join(', ')} to the median.`;
}
