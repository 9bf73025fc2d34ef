import type { Comparison, TurnResult } from '../../session/record.ts';
import type { ResponseView } from '../../session/view.ts';
import { wireItem } from '../items/wireItem.ts';
import { echoDefaults } from './echo.ts';

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
    error: view.error,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: view.instructions,
    metadata: view.metadata,
    previous_response_id: view.previousResponseId,
    conversation: conversationId === null ? null : { id: conversationId },
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
  const written = promptTokens - reusedTokens;
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: reusedTokens,
      cache_write_tokens: written,
      image_tokens: imageTokens,
    },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + outputTokens,
  };
}

function costOf({ usage, timings, tier, droppedItems }: TurnResult): object {
  return {
    images_encoded: usage.imagesEncoded,
    images_reused: usage.imagesReused,
    tokens_reused: usage.reusedTokens,
    tokens_computed: usage.promptTokens - usage.reusedTokens,
    tier,
    // No tier there is yet has its state loaded from anywhere.
    load_ms: timings.loadMs ?? 0,
    encode_ms: timings.encodeMs,
    prefill_ms: timings.prefillMs,
    first_token_ms: timings.firstTokenMs,
    queued_ms: timings.queuedMs,
    dropped_items: droppedItems,
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
