import { failure } from '../../core/errors.ts';
import type { Sampling } from '../../core/request.ts';
import type { OutputFormat } from '../../core/tools.ts';
import type { InputItem } from '../../session/items.ts';
import type { TurnRequest } from '../../session/turnRequest.ts';
import type { ChatBody } from './requestSchema.ts';
import { turnTools } from './turnTools.ts';

/** A turn of which nothing is kept. @throws invalid_parameter for fields that contradict each other */
export function toTurnRequest(
  body: ChatBody,
  { input, traceparent }: { input: readonly InputItem[]; traceparent: string },
): TurnRequest {
  const { stop, parallel_tool_calls } = body;
  const maxOutputTokens = maxOutputTokensOf(body);
  const format = formatOf(body);
  return {
    input,
    store: false,
    sampling: samplingOf(body),
    ...(maxOutputTokens != null && { maxOutputTokens }),
    ...(stop != null && { stop: typeof stop === 'string' ? [stop] : stop }),
    ...turnTools(body.tools ?? [], body.tool_choice),
    ...(parallel_tool_calls != null && { parallelToolCalls: parallel_tool_calls }),
    ...(format && { format }),
    traceparent,
  };
}

function maxOutputTokensOf({ max_tokens: older, max_completion_tokens: asked }: ChatBody) {
  if (older != null && asked != null && older !== asked) {
    throw failure('invalid_parameter', {
      param: 'max_tokens',
      problem: `is the older name of max_completion_tokens, got ${older} and ${asked}`,
    });
  }
  return asked ?? older;
}

/** Undefined: plain text. */
function formatOf({ response_format: asked }: ChatBody): OutputFormat | undefined {
  if (asked?.type === 'json_object') return { type: 'json_object' };
  return asked?.type === 'json_schema'
    ? { type: 'json_schema', schema: asked.json_schema.schema }
    : undefined;
}

function samplingOf(body: ChatBody): Partial<Sampling> {
  const { temperature, top_p, top_k, min_p, repeat_penalty, seed, logit_bias } = body;
  return {
    ...(temperature != null && { temperature }),
    ...(top_p != null && { topP: top_p }),
    ...(top_k != null && { topK: top_k }),
    ...(min_p != null && { minP: min_p }),
    ...(repeat_penalty != null && { repeatPenalty: repeat_penalty }),
    ...(body.frequency_penalty != null && { frequencyPenalty: body.frequency_penalty }),
    ...(body.presence_penalty != null && { presencePenalty: body.presence_penalty }),
    ...(seed != null && { seed }),
    ...(logit_bias != null && { logitBias: logit_bias }),
  };
}
