import type { TurnResult } from '../../session/record.ts';
import type { ResponseView } from '../../session/view.ts';
import { costOf } from '../items/turnCost.ts';

/** What all chunks of a completion, and the whole one, begin with. */
export interface CompletionHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  /** Changes with the model and with what computes it. */
  readonly system_fingerprint: string;
}

export interface ServedModel {
  readonly model: string;
  readonly fingerprint: string;
}

export function headOf(view: ResponseView, { model, fingerprint }: ServedModel): CompletionHead {
  return {
    id: view.id.replace(/^resp_/, 'chatcmpl-'),
    created: Math.floor(view.createdAtMs / 1_000),
    model,
    system_fingerprint: fingerprint,
  };
}

/** OpenAI's chat completion, and `afterimage`: what the answer cost and saved. */
export function completionOf(view: ResponseView, served: ServedModel): object {
  const result = resultOf(view);
  const text = textOf(view);
  const calls = callsOf(view);
  return {
    ...headOf(view, served),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          refusal: null,
          annotations: [],
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: result.finishReason,
      },
    ],
    usage: usageOf(result),
    service_tier: 'default',
    afterimage: costOf(result),
  };
}

export function usageOf({ usage }: TurnResult): object {
  const { promptTokens, outputTokens, reusedTokens, imageTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: outputTokens,
    total_tokens: promptTokens + outputTokens,
    prompt_tokens_details: {
      cached_tokens: reusedTokens,
      cache_write_tokens: promptTokens - reusedTokens,
      image_tokens: imageTokens,
      audio_tokens: 0,
    },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  };
}

/** A turn in the foreground that generates always has one when it has ended. */
export function resultOf({ id, result }: ResponseView): TurnResult {
  if (!result) throw new Error(`the turn of ${id} ended without a result`);
  return result;
}

function textOf({ output }: ResponseView): string {
  return output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => (part.type === 'output_text' ? part.text : ''))
    .join('');
}

function callsOf({ output }: ResponseView): object[] {
  return output.flatMap((item) =>
    item.type === 'function_call'
      ? [{ id: item.callId, type: 'function', function: { name: item.name, arguments: item.arguments } }]
      : [],
  );
}
