import { expect, test } from 'vitest';
import { kvBytesPerToken, kvTypeProblem } from './kvType.ts';

test('bytes of a token by type', () => {
  // 28 layers x 8 heads of 128, keys and values: Qwen3-VL-2B.
  const f16 = 2 * 28 * 8 * 128 * 2;
  expect(kvBytesPerToken(f16, 'f16')).toBe(f16);
  expect(kvBytesPerToken(f16, 'q8_0')).toBe((f16 / 64) * 34);
  expect(kvBytesPerToken(f16, 'q4_0')).toBe((f16 / 64) * 18);
});

test('heads must be whole blocks, except in f16', () => {
  expect(kvTypeProblem('f16', 80)).toBeUndefined();
  expect(kvTypeProblem('q8_0', 128)).toBeUndefined();
  expect(kvTypeProblem('q4_0', 80)).toBe("q4_0 needs heads of a multiple of 32 values, this model's have 80");
});
