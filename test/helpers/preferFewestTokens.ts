import { vi } from 'vitest';
import { Planner } from '../../src/engine/state/planner.ts';

/**
 * Has every planner of this process take the way with the fewest tokens to compute. Which one is the quickest depends on what else
 * the machine does: no matter for a test of what comes back from a tier.
 */
export function preferFewestTokens(): void {
  vi.spyOn(Planner.prototype, 'estimateMs').mockImplementation(
    ({ computeTokens, encodeTokens }) => computeTokens + encodeTokens,
  );
}
