import type { PlanReport, Usage } from '../core/request.ts';
import type { StateTier } from './record.ts';

/** What prompts share without having anything in common: the template's first tokens. Beyond it state was brought back. */
const trivialPrefixTokens = 16;

/**
 * Where the state of a turn came from, the best of: attention state for more than a trivial prefix (`hot`, or `ram` or `disk` when
 * it had to be brought back into the cache), the features of a picture (`features`), pictures that had to be encoded (`pixels`),
 * nothing (`none`: text only).
 */
export function tierOf(
  {
    reusedTokens,
    imagesReused,
    imagesEncoded,
  }: Pick<Usage, 'reusedTokens' | 'imagesReused' | 'imagesEncoded'>,
  plan: Pick<PlanReport, 'tier'> | undefined,
): StateTier {
  if (reusedTokens > trivialPrefixTokens) {
    return plan === undefined || plan.tier === 'none' ? 'hot' : plan.tier;
  }
  if (imagesReused > 0) return 'features';
  return imagesEncoded > 0 ? 'pixels' : 'none';
}
