import { expect, test } from 'vitest';
import { positionEmbedding, rotaryPositions } from './positions.ts';

/** A table whose vector at (row, column) is [row, column, 1]: bilinear resampling must be exact on it. */
function linearTable(side: number): Float32Array {
  const table = new Float32Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) table.set([row, column, 1], (row * side + column) * 3);
  }
  return table;
}

test('resampling aligns the corners and is linear between them', () => {
  const side = 7;
  const embedding = positionEmbedding(linearTable(side), side, 3, { rows: 4, columns: 6 }, 2);
  const at = (index: number) => [...embedding.subarray(index * 3, index * 3 + 3)];
  expect(at(0)).toEqual([0, 0, 1]);
  expect(at(23)).toEqual([6, 6, 1]);
  // Patch 3 is the lower right one of the first merge block: row 1 of 4, column 1 of 6.
  const [row, column, one] = at(3);
  expect(row).toBeCloseTo((1 * 6) / 3, 5);
  expect(column).toBeCloseTo((1 * 6) / 5, 5);
  expect(one).toBeCloseTo(1, 6);
});

test('a grid of the table’s own size gets the table itself, in merge-block order', () => {
  const table = linearTable(4);
  const embedding = positionEmbedding(table, 4, 3, { rows: 4, columns: 4 }, 2);
  expect([...embedding.subarray(2 * 3, 3 * 3)]).toEqual([1, 0, 1]);
  expect([...embedding.subarray(4 * 3, 5 * 3)]).toEqual([0, 2, 1]);
});

test('rotary positions are row, column, row, column', () => {
  const positions = rotaryPositions({ rows: 2, columns: 4 }, 2);
  const rows = [0, 0, 1, 1, 0, 0, 1, 1];
  const columns = [0, 1, 0, 1, 2, 3, 2, 3];
  expect([...positions]).toEqual([...rows, ...columns, ...rows, ...columns]);
});
