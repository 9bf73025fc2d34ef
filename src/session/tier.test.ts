import { expect, test } from 'vitest';
import type { PlanReport } from '../core/request.ts';
import { tierOf } from './tier.ts';

test.each([
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 1 }, 'hot', 'hot'],
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 0 }, 'ram', 'ram'],
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 0 }, 'disk', 'disk'],
  [{ reusedTokens: 300, imagesReused: 1, imagesEncoded: 0 }, undefined, 'hot'],
  [{ reusedTokens: 17, imagesReused: 0, imagesEncoded: 0 }, 'hot', 'hot'],
  [{ reusedTokens: 16, imagesReused: 1, imagesEncoded: 1 }, 'hot', 'features'],
  [{ reusedTokens: 0, imagesReused: 0, imagesEncoded: 2 }, 'none', 'pixels'],
  [{ reusedTokens: 16, imagesReused: 0, imagesEncoded: 0 }, 'hot', 'none'],
] as [Parameters<typeof tierOf>[0], PlanReport['tier'] | undefined, string][])(
  '%o by way of %s comes from %s',
  (usage, way, tier) => {
    expect(tierOf(usage, way && { tier: way })).toBe(tier);
  },
);
