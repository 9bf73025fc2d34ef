import type { Comparison, TurnResult } from '../../session/record.ts';
import type { ResponseView } from '../../session/view.ts';
import { costOf } from '../items/turnCost.ts';
import { wireItem } from '../items/wireItem.ts';
import { echoDefaults } from './echo.ts';
import { responseError } from './responseError.ts';

/**
 * OpenAI's response object, with all properties that Open Responses asks for, and `afterimage`: what the reply cost and saved.
 * Made of the view alone, so that a reply given again is the same to the byte.
 */
export function wireResponse(view: ResponseView, include: ReadonlySet<string>): Record<string, unknown> {
  const { status, result, conversationId } = view;
  return {
    id: view.id,
    object: 'response',
    created_at: seconds(view.createdAtMs),
    completed_at: status === 'completed' && view.completedAtMs !== null ? seconds(view.completedAtMs) : null,
    status,
    background: view.background,
    error: responseError(view.error),
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: view.instructions,
    metadata: view.metadata,
    previous_response_id: view.previousResponseId,
    conversation: conversationId === null ? null : { id: conversationId },
    access_programs: null,
    ...echoDefaults,
    ...view.echo,
    output: view.output.map((item) => wireItem(item, include)),
    usage: result && usageOf(result),
    ...(view.comparison && { prompt_cache_diagnostics: diagnosticsOf(view.comparison) }),
    afterimage: result && costOf(result),
  };
}

/** `cache_write_tokens`: the prompt tokens that were computed; their state is kept for what builds on the response. */
function usageOf({ usage }: TurnResult): object {
  const { promptTokens, outputTokens, reusedTokens, imageTokens } = usage;
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: reusedTokens,
      cache_write_tokens: promptTokens - reusedTokens,
      image_tokens: imageTokens,
    },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + outputTokens,
  };
}

/** @see OpenAI's `prompt_cache_diagnostics` */
function diagnosticsOf(comparison: Comparison): object {
  if (comparison.type === 'hit') return { type: 'cache_hit' };
  const { reason, missedTokens } = comparison;
  if (reason === 'not_found') return { type: 'comparison_response_not_found' };
  if (reason === 'unavailable') return { type: 'unavailable' };
  return { type: 'cache_miss', cache_missed_tokens: missedTokens, reason };
}

const seconds = (ms: number): number => Math.floor(ms / 1_000);
