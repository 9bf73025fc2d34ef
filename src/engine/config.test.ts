import { expect, test } from 'vitest';
import type { ModelPair } from '../models/pair.ts';
import { resolveConfig } from './config.ts';

const pair = (kvHeadSize: number) => ({ kvBytesPerToken: 2 ** 30, kvHeadSize }) as ModelPair;

test('the cache is f16 unless asked otherwise', () => {
  expect(resolveConfig({}, pair(80)).kvType).toBe('f16');
  expect(resolveConfig({ kvType: 'q8_0' }, pair(128)).kvType).toBe('q8_0');
});

test('a type that a model’s heads do not fit is refused', () => {
  expect(() => resolveConfig({ kvType: 'q4_0' }, pair(80))).toThrow(
    "kvType: q4_0 needs heads of a multiple of 32 values, this model's have 80.",
  );
});

test('the default number of cells has bounds in every type', () => {
  // So large a token that only the lower bound is left, and so small a one that only the upper is.
  expect(resolveConfig({ kvType: 'q8_0' }, pair(32)).kvCells).toBe(4096);
  expect(resolveConfig({ kvType: 'q8_0' }, { ...pair(32), kvBytesPerToken: 64 }).kvCells).toBe(8192);
});
