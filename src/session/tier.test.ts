import { expect, test } from 'vitest';
import { tierOf } from './tier.ts';

test.each([
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 1 }, 'hot'],
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 0, loadMs: 1.2 }, 'ram'],
  [{ reusedTokens: 17, imagesReused: 0, imagesEncoded: 0 }, 'hot'],
  [{ reusedTokens: 16, imagesReused: 1, imagesEncoded: 1 }, 'features'],
  [{ reusedTokens: 0, imagesReused: 0, imagesEncoded: 2 }, 'pixels'],
  [{ reusedTokens: 16, imagesReused: 0, imagesEncoded: 0 }, 'none'],
] as [Parameters<typeof tierOf>[0] & { loadMs?: number }, string][])(
  '%o comes from %s',
  ({ loadMs = 0, ...usage }, tier) => {
    expect(tierOf(usage, { loadMs })).toBe(tier);
  },
);
