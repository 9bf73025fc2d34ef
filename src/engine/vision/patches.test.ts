import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutPatches, forEachPatch, patchGrid } from './patches.ts';

const layout = { patchSize: 16, mergeSize: 2, imageMean: [0.5, 0.4, 0.3], imageStd: [0.5, 0.25, 0.2] };
const sides = fc.integer({ min: 1, max: 4 }).map((units) => units * 32);

test('every pixel lands once, in merge-block order, channel-major, scaled by its channel', () => {
  fc.assert(
    fc.property(sides, sides, fc.integer(), (width, height, seed) => {
      const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 31 + seed) & 255);
      const grid = patchGrid(width, height, layout);
      const patches = cutPatches(rgb, grid, layout);
      expect(patches.length).toBe(rgb.length);
      const perRow = width / 32;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const block = Math.floor(y / 32) * perRow + Math.floor(x / 32);
          const patch = block * 4 + (Math.floor(y / 16) % 2) * 2 + (Math.floor(x / 16) % 2);
          for (let c = 0; c < 3; c++) {
            const mean = layout.imageMean[c] as number;
            const std = layout.imageStd[c] as number;
            const expected = ((rgb[(y * width + x) * 3 + c] as number) / 255 - mean) / std;
            const actual = patches[patch * 768 + c * 256 + (y % 16) * 16 + (x % 16)] as number;
            if (Math.abs(actual - expected) > 1e-6) throw new Error(`pixel ${x},${y},${c}: ${actual}`);
          }
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('the first merge block of a grid is its top left corner', () => {
  const order: string[] = [];
  forEachPatch({ rows: 2, columns: 4 }, 2, (index, row, column) => order.push(`${index}:${row},${column}`));
  expect(order).toEqual(['0:0,0', '1:0,1', '2:1,0', '3:1,1', '4:0,2', '5:0,3', '6:1,2', '7:1,3']);
});

test.each([
  [0, 32],
  [33, 32],
  [32, 48],
  [Number.NaN, 32],
  [-32, 32],
])('refuses %d x %d px', (width, height) => {
  expect(() => patchGrid(width, height, layout)).toThrow(RangeError);
});

test('refuses a picture with a byte too few', () => {
  const grid = patchGrid(32, 32, layout);
  expect(() => cutPatches(new Uint8Array(32 * 32 * 3 - 1), grid, layout)).toThrow('3071 bytes');
});
