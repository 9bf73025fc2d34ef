import { failure } from '../core/errors.ts';
import type { GenerateRequest } from '../core/request.ts';
import { requestLimits } from '../core/validateRequest.ts';
import type { ResolvedEngineConfig } from './config.ts';
import type { Runner } from './decode/runner.ts';
import { totalCells, totalPositions } from './prompt/commonPrefix.ts';
import type { Segment } from './prompt/segment.ts';

interface Context {
  readonly runner: Pick<Runner, 'trainedContext'>;
  readonly config: Pick<ResolvedEngineConfig, 'kvCells'>;
}

/** What can be too small for a prompt, as errors call it. */
export const contextHolders = {
  model: "the model's context",
  cache: 'the attention cache (--kv-cells)',
} as const;

/** Tokens that a prompt of text and its answer may have together. */
export function contextLimit({ runner, config }: Context): number {
  return Math.min(runner.trainedContext, config.kvCells);
}

/**
 * The most tokens the answer to a prompt may have: what the request asks for, else what there is room for.
 * Positions, not tokens, are what the model was trained for: an image takes fewer of them than cells of the cache.
 * @throws context_length_exceeded with the tighter of the two limits, when there is no room
 */
export function outputLimit(
  { maxOutputTokens }: GenerateRequest,
  prompt: readonly Segment[],
  { runner, config }: Context,
): number {
  const positions = {
    holder: contextHolders.model,
    limit: runner.trainedContext,
    used: totalPositions(prompt),
  };
  const cells = { holder: contextHolders.cache, limit: config.kvCells, used: totalCells(prompt) };
  const { holder, limit, used } =
    cells.limit - cells.used < positions.limit - positions.used ? cells : positions;
  const left = limit - used;
  const wanted = maxOutputTokens ?? Math.max(1, Math.min(left, requestLimits.defaultMaxOutputTokens));
  if (wanted > left) throw failure('context_length_exceeded', { needed: used + wanted, holder, limit });
  return wanted;
}
