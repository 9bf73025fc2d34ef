import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ItemRuns, indicesOf, joinRuns, runOf, withoutIndex } from './itemRuns.ts';

const ascending = fc
  .uniqueArray(fc.integer({ min: 0, max: 60 }))
  .map((indices) => indices.sort((a, b) => a - b));
const runsOf = (indices: readonly number[]): ItemRuns =>
  indices.reduce<ItemRuns>((runs, index) => joinRuns(runs, runOf(index, 1)), []);

test('runs hold exactly the indices put in, in as few runs as can be', () => {
  fc.assert(
    fc.property(ascending, (indices) => {
      const runs = runsOf(indices);
      expect([...indicesOf(runs)]).toEqual(indices);
      const gaps = indices.filter((index, at) => at === 0 || index !== (indices[at - 1] ?? 0) + 1).length;
      expect(runs).toHaveLength(2 * gaps);
    }),
  );
});

test('an index is taken out, one that is not there changes nothing', () => {
  fc.assert(
    fc.property(ascending, fc.integer({ min: 0, max: 60 }), (indices, removed) => {
      const left = [...indicesOf(withoutIndex(runsOf(indices), removed))];
      expect(left).toEqual(indices.filter((index) => index !== removed));
    }),
  );
});
