import type { Sampling } from '../../core/request.ts';
import type { InputItem } from '../../session/items.ts';
import type { TurnRequest } from '../../session/turnRequest.ts';
import { echoOf } from './echo.ts';
import type { CountBody, CreateBody } from './requestSchema.ts';
import { turnFormat, turnTools } from './turnTools.ts';

/** What a request says besides its body. */
export interface RequestHeaders {
  readonly idempotencyKey?: string;
  readonly retryCount?: number;
  readonly traceparent?: string;
}

/** The turn that counting the tokens of a body is about. */
export function toPromptRequest(body: Omit<CountBody, 'input'>, input: readonly InputItem[]): TurnRequest {
  const { previous_response_id, conversation, instructions, parallel_tool_calls, truncation } = body;
  const format = turnFormat(body.text);
  return {
    input,
    ...(previous_response_id != null && { previousResponseId: previous_response_id }),
    ...(conversation != null && {
      conversationId: typeof conversation === 'string' ? conversation : conversation.id,
    }),
    ...(instructions != null && { instructions }),
    ...turnTools(body.tools, body.tool_choice),
    ...(parallel_tool_calls != null && { parallelToolCalls: parallel_tool_calls }),
    ...(format && { format }),
    ...(truncation != null && { truncation }),
  };
}

/** `model` is the one that answers, as the reply names it. */
export function toTurnRequest(
  body: CreateBody,
  { model, input, headers }: { model: string; input: readonly InputItem[]; headers: RequestHeaders },
): TurnRequest {
  const { max_output_tokens, stop, store, background, idle_ttl_ms, metadata } = body;
  const { prewarm, comparison_response_id } = body.prompt_cache_options ?? {};
  return {
    ...toPromptRequest(body, input),
    sampling: samplingOf(body),
    ...(max_output_tokens != null && { maxOutputTokens: max_output_tokens }),
    ...(stop != null && { stop: typeof stop === 'string' ? [stop] : stop }),
    ...(comparison_response_id != null && { comparisonResponseId: comparison_response_id }),
    ...(metadata != null && { metadata }),
    echo: echoOf(body, model),
    ...(store != null && { store }),
    ...(background != null && { background }),
    ...(prewarm != null && { prewarm }),
    ...(idle_ttl_ms != null && { idleTtlMs: idle_ttl_ms }),
    ...headers,
  };
}

function samplingOf(body: CreateBody): Partial<Sampling> {
  const { temperature, top_p, top_k, min_p, repeat_penalty, seed } = body;
  return {
    ...(temperature != null && { temperature }),
    ...(top_p != null && { topP: top_p }),
    ...(top_k != null && { topK: top_k }),
    ...(min_p != null && { minP: min_p }),
    ...(repeat_penalty != null && { repeatPenalty: repeat_penalty }),
    ...(body.frequency_penalty != null && { frequencyPenalty: body.frequency_penalty }),
    ...(body.presence_penalty != null && { presencePenalty: body.presence_penalty }),
    ...(seed != null && { seed }),
  };
}
