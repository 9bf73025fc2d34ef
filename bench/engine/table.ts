import type { Figures, TurnFigures } from './figures.ts';
import { median } from './figures.ts';
import type { BenchReport } from './run.ts';

type Row = readonly string[];

/** The report as people read it. */
export function table(report: BenchReport): string {
  const parts = [aligned(headRows(report)), aligned(speedRows(report)), aligned(turnRows(report))];
  return `${parts.join('\n\n')}\n`;
}

function headRows({ environment, model, engine, plan, rounds, peakResidentBytes }: BenchReport): Row[] {
  const { vision } = engine;
  return [
    ['Date', environment.date],
    ['Commit', environment.commit],
    ['Machine', `${environment.cpu}, ${environment.cores} cores, ${environment.platform}`],
    ['Memory', `${environment.freeMemoryGiB.toFixed(1)} of ${environment.memoryGiB.toFixed(1)} GiB free`],
    ['Load', `${environment.loadAverage.toFixed(2)} before the start`],
    ['Node', environment.node],
    ['Computes on', `${engine.backend} (${engine.device}), ${engine.threads} threads`],
    ['', engine.instructionSets],
    ['Model', `${model.name}, ${(engine.parameters / 1e6).toFixed(0)} M parameters`],
    ...(model.remark === undefined ? [] : [['', model.remark]]),
    ['Weights', `text ${model.textWeightType}, vision ${model.visionFileType} held as ${vision.weightType}`],
    ['KV cache', `${engine.kvCells} cells, ${engine.maxRunning} answers at a time`],
    ['Peak memory', `${(peakResidentBytes / 2 ** 20).toFixed(0)} MiB of the engine process`],
    ['Measured', `medians of ${rounds} rounds, pictures ${plan.pictureSidePixels}x${plan.pictureSidePixels}`],
  ];
}

function speedRows({ ours, peer, plan }: BenchReport): Row[] {
  const theirs = peer?.figures;
  const row = (name: string, mine: number, other: number | undefined, note = ''): Row =>
    withPeer([name, number(mine)], other === undefined ? undefined : number(other), ratio(mine, other), note);
  const scaling = (figures: Figures): number | undefined => {
    const [one, ...more] = figures.decode;
    const most = more.at(-1);
    return one && most && most.tokensPerSecond / one.tokensPerSecond;
  };
  const most = ours.decode.at(-1)?.sequences;
  return [
    withPeer(['', 'ours'], peer?.name, 'ours/peer'),
    row(
      'encode ms',
      ours.encodeMs,
      theirs?.encodeMs,
      peer?.encodeIsEstimate ? "the peer's is an estimate" : '',
    ),
    row('fresh picture, first token ms', ours.freshPictureFirstTokenMs, theirs?.freshPictureFirstTokenMs),
    row(
      `prefill tokens/s, ${plan.prefillTokens} tokens`,
      ours.prefillTokensPerSecond,
      theirs?.prefillTokensPerSecond,
    ),
    ...ours.decode.flatMap(({ sequences, tokensPerSecond, tokensPerSecondEach }): Row[] => {
      const other = theirs?.decode.find((candidate) => candidate.sequences === sequences);
      const name = `decode tokens/s, ${sequences} together`;
      const all = row(
        name,
        tokensPerSecond,
        other?.tokensPerSecond,
        peer && !other ? 'too many for the peer' : '',
      );
      return sequences === 1 ? [all] : [all, row('  each', tokensPerSecondEach, other?.tokensPerSecondEach)];
    }),
    row(`decode, ${most} together over 1`, scaling(ours) ?? Number.NaN, theirs && scaling(theirs)),
  ];
  function withPeer(cells: Row, other: string | undefined, relation: string, note = ''): Row {
    return peer ? [...cells, other ?? '-', relation, note] : cells;
  }
}

function turnRows({ ours, peer }: BenchReport): Row[] {
  const head = ['turn', 'new tokens', 'picture ms', 'text ms', 'picture/text'];
  const peerHead = [
    'peer new tokens',
    'peer picture ms',
    'peer text ms',
    'ours/peer picture',
    'ours/peer text',
  ];
  const rows = ours.turns.map((turn): Row => {
    const cells = turnCells(turn);
    const other = peer?.figures.turns.find((candidate) => candidate.turn === turn.turn);
    if (!other) return cells;
    const relations = [
      ratio(turn.pictureFirstTokenMs, other.pictureFirstTokenMs),
      ratio(turn.textFirstTokenMs, other.textFirstTokenMs),
    ];
    return [...cells, ...turnCells(other).slice(1, 4), ...relations];
  });
  const [, second, ...later] = ours.turns;
  const last = later.at(-1);
  const flat: Row[] =
    second && last
      ? [
          [
            '2 on',
            '',
            '',
            '',
            median([second, ...later].map(({ pictureToText }) => pictureToText)).toFixed(2),
          ],
          [`${last.turn}/2`, '', ...flatness(second, last)],
        ]
      : [];
  return [
    ['First token by turn, as the asking side sees it'],
    peer ? [...head, ...peerHead] : head,
    ...rows,
    ...flat,
  ];
}

function turnCells({
  turn,
  newTokens,
  pictureFirstTokenMs,
  textFirstTokenMs,
  pictureToText,
}: TurnFigures): Row {
  const times = [pictureFirstTokenMs, textFirstTokenMs].map(number);
  return [String(turn), String(newTokens), ...times, pictureToText.toFixed(2)];
}

function flatness(second: TurnFigures, last: TurnFigures): Row {
  const over = (pick: (turn: TurnFigures) => number): string => ratio(pick(last), pick(second));
  return [over((turn) => turn.pictureFirstTokenMs), over((turn) => turn.textFirstTokenMs)];
}

function ratio(value: number, other: number | undefined): string {
  return other === undefined ? '' : (value / other).toFixed(2);
}

function number(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A row of one cell is a line of its own. */
function aligned(rows: readonly Row[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row.length > 1 ? (row[column]?.length ?? 0) : 0))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
