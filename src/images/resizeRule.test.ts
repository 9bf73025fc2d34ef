import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maxAspectRatio, maxSide, minSide } from './limits.ts';
import { type ImageDetail, modelSize, pixelBudgets } from './resizeRule.ts';

interface GoldenCase {
  width: number;
  height: number;
  min_pixels: number;
  max_pixels: number;
  out_width: number;
  out_height: number;
}
const goldenFile = new URL('../../test/fixtures/golden/golden.json', import.meta.url);
const cases: GoldenCase[] = JSON.parse(readFileSync(goldenFile, 'utf8')).resize_rule;

test('all 24 sizes of the reference processor are equal', () => {
  expect(cases).toHaveLength(24);
  for (const { width, height, min_pixels, max_pixels, out_width, out_height } of cases) {
    const size = modelSize(width, height, { minPixels: min_pixels, maxPixels: max_pixels });
    expect({ of: [width, height], ...size }).toEqual({
      of: [width, height],
      width: out_width,
      height: out_height,
    });
  }
});

test('halves round to even, as in Python', () => {
  const size = (side: number) => modelSize(side, 1024, pixelBudgets.original).width;
  expect([80, 112, 144, 176].map(size)).toEqual([64, 128, 128, 192]);
});

test('every accepted size gives multiples of 32 within the budget', () => {
  const side = fc.integer({ min: minSide, max: maxSide });
  const detail = fc.constantFrom<ImageDetail>('low', 'auto', 'high', 'original');
  fc.assert(
    fc.property(side, side, detail, (width, height, detail) => {
      fc.pre(Math.max(width, height) <= maxAspectRatio * Math.min(width, height));
      const budget = pixelBudgets[detail];
      const size = modelSize(width, height, budget);
      expect([size.width % 32, size.height % 32]).toEqual([0, 0]);
      expect(size.width * size.height).toBeGreaterThanOrEqual(budget.minPixels);
      expect(size.width * size.height).toBeLessThanOrEqual(budget.maxPixels);
    }),
    { seed: 7, numRuns: 2000 },
  );
});

test('a size that fits is kept', () => {
  for (const budget of Object.values(pixelBudgets)) {
    expect(modelSize(448, 480, budget)).toEqual({ width: 448, height: 480 });
  }
});
