import { expect, test } from 'vitest';
import { tierOf } from './tier.ts';

test.each([
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 1 }, 'hot'],
  [{ reusedTokens: 17, imagesReused: 0, imagesEncoded: 0 }, 'hot'],
  [{ reusedTokens: 16, imagesReused: 1, imagesEncoded: 1 }, 'features'],
  [{ reusedTokens: 0, imagesReused: 0, imagesEncoded: 2 }, 'pixels'],
  [{ reusedTokens: 16, imagesReused: 0, imagesEncoded: 0 }, 'none'],
] as const)('%o comes from %s', (usage, tier) => {
  expect(tierOf(usage)).toBe(tier);
});
