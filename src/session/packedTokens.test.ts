import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packTokens, unpackTokens } from './packedTokens.ts';

const below = (limit: number) => fc.array(fc.integer({ min: 0, max: limit - 1 }));

test('token ids come back', () => {
  fc.assert(
    fc.property(below(2 ** 31), (ids) => {
      expect(unpackTokens(packTokens(ids))).toEqual(ids);
    }),
  );
});

test("ids of Qwen's vocabulary take three bytes at most", () => {
  fc.assert(
    fc.property(below(151_936), (ids) => {
      expect(Buffer.from(packTokens(ids), 'base64').length).toBeLessThanOrEqual(3 * ids.length);
    }),
  );
});
