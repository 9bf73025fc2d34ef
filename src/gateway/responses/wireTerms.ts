import { AfterimageError, failure } from '../../core/errors.ts';

/** Fields under the names they have in the layers below, and what a request calls them. */
const renamed: readonly (readonly [RegExp, string])[] = [
  [/^format(?=$|[.[])/, 'text.format'],
  [/^toolChoice(?=$|[.[])/, 'tool_choice'],
  [/^parallelToolCalls$/, 'parallel_tool_calls'],
  [/^maxOutputTokens$/, 'max_output_tokens'],
  [/^prewarm$/, 'prompt_cache_options.prewarm'],
  [/^idempotency_key$/, 'Idempotency-Key'],
  // Messages of a prompt are made of items of earlier turns as well: their numbers mean nothing to a client.
  [/^messages(?:$|[.[].*)/s, 'input'],
];

interface Named {
  readonly previous_response_id?: string | null | undefined;
  readonly conversation?: string | { readonly id: string } | null | undefined;
}

/** The same error with the name of the field as the client wrote it, and OpenAI's own code for a lost chain. */
export function inWireTerms(error: unknown, body: Named): unknown {
  if (!(error instanceof AfterimageError)) return error;
  const { code, details } = error;
  const param = fieldOf(error, body);
  if (code === 'not_found' && param === 'previous_response_id') {
    return failure('previous_response_not_found', { param, id: String(details.id) }, { cause: error });
  }
  if (param === undefined || param === details.param) return error;
  return new AfterimageError(code, { ...details, param }, { cause: error });
}

/** Undefined: it is about no field. */
function fieldOf({ code, details }: AfterimageError, body: Named): string | number | undefined {
  if (code === 'context_length_exceeded') return 'input';
  const { object, id, param } = details;
  // The id in the details is cut when it is longer than any of ours.
  const isOf = (asked: string | null | undefined): boolean => asked?.startsWith(String(id)) ?? false;
  const isExpired = code === 'session_expired';
  const { previous_response_id: previous, conversation } = body;
  if ((isExpired || object === 'response') && isOf(previous)) return 'previous_response_id';
  const named = typeof conversation === 'object' ? conversation?.id : conversation;
  if ((isExpired || object === 'conversation') && isOf(named)) return 'conversation';
  const rule = renamed.find(([pattern]) => pattern.test(String(param)));
  return rule ? String(param).replace(...rule) : param;
}
