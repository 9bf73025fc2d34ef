import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonPrefix, dropPrefix, takePrefix, totalCells, totalPositions } from './commonPrefix.ts';
import type { ImageSegment, Segment } from './segment.ts';

/** One token, or one image: a prompt without cuts. */
type Unit = number | ImageSegment;

// Few values, so that prompts agree for long.
const image: fc.Arbitrary<ImageSegment> = fc.record({
  kind: fc.constant('image'),
  key: fc.constantFrom('a', 'b'),
  columns: fc.integer({ min: 1, max: 2 }),
  rows: fc.integer({ min: 1, max: 3 }),
});
const units = fc.array(fc.oneof({ weight: 4, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: image }), {
  maxLength: 12,
});
const cuts = fc.array(fc.boolean(), { minLength: 16, maxLength: 16 });
/** Two prompts that agree on their beginning, each with its own cuts, some of them empty runs. */
const pair = fc
  .record({ shared: units, restA: units, restB: units, cutsA: cuts, cutsB: cuts })
  .map(({ shared, restA, restB, cutsA, cutsB }) => {
    const [a, b] = [
      [...shared, ...restA],
      [...shared, ...restB],
    ];
    return { a, b, segmentsA: cut(a, cutsA), segmentsB: cut(b, cutsB) };
  });

function cut(prompt: readonly Unit[], cuts: readonly boolean[]): Segment[] {
  const segments: Segment[] = [];
  let tokens: number[] = [];
  const end = (keepEmpty: boolean): void => {
    if (tokens.length > 0 || keepEmpty) segments.push({ kind: 'text', tokens });
    tokens = [];
  };
  for (const [index, unit] of prompt.entries()) {
    if (cuts[index % cuts.length]) end(true);
    if (typeof unit === 'number') tokens.push(unit);
    else {
      end(false);
      segments.push(unit);
    }
  }
  end(false);
  return segments;
}

const unitsOf = (segments: readonly Segment[]): Unit[] =>
  segments.flatMap((segment): readonly Unit[] => (segment.kind === 'text' ? segment.tokens : [segment]));
const cellsOf = (prompt: readonly Unit[]): number =>
  prompt.reduce<number>((sum, unit) => sum + (typeof unit === 'number' ? 1 : unit.columns * unit.rows), 0);
const positionsOf = (prompt: readonly Unit[]): number =>
  prompt.reduce<number>(
    (sum, unit) => sum + (typeof unit === 'number' ? 1 : Math.max(unit.columns, unit.rows)),
    0,
  );

test('finds the longest prefix of whole tokens and images, however text is cut', () => {
  fc.assert(
    fc.property(pair, ({ a, b, segmentsA, segmentsB }) => {
      const differs = a.findIndex((unit, index) => JSON.stringify(unit) !== JSON.stringify(b[index]));
      const shared = differs === -1 ? a : a.slice(0, differs);
      const expected = { cells: cellsOf(shared), positions: positionsOf(shared) };
      expect(commonPrefix(segmentsA, segmentsB)).toEqual(expected);
      expect(commonPrefix(segmentsB, segmentsA)).toEqual(expected);
    }),
  );
});

test('tells images of the same key apart by their size', () => {
  const wide: Segment = { kind: 'image', key: 'a', columns: 4, rows: 1 };
  expect(commonPrefix([wide], [{ ...wide, columns: 1, rows: 4 }])).toEqual({ cells: 0, positions: 0 });
});

test('totals are those of the parts', () => {
  fc.assert(
    fc.property(units, cuts, (prompt, cuts) => {
      expect(totalCells(cut(prompt, cuts))).toBe(cellsOf(prompt));
      expect(totalPositions(cut(prompt, cuts))).toBe(positionsOf(prompt));
    }),
  );
});

test('takes and drops at every border, and nowhere else', () => {
  fc.assert(
    fc.property(units, cuts, (prompt, cuts) => {
      const segments = cut(prompt, cuts);
      const borders = new Map(prompt.map((_, count) => [cellsOf(prompt.slice(0, count)), count]));
      borders.set(cellsOf(prompt), prompt.length);
      for (let cells = -1; cells <= cellsOf(prompt) + 1; cells++) {
        const border = borders.get(cells);
        if (border === undefined) {
          expect(() => takePrefix(segments, cells)).toThrow(RangeError);
          expect(() => dropPrefix(segments, cells)).toThrow(RangeError);
        } else {
          expect(unitsOf(takePrefix(segments, cells))).toEqual(prompt.slice(0, border));
          expect(unitsOf(dropPrefix(segments, cells))).toEqual(prompt.slice(border));
        }
      }
    }),
  );
});
