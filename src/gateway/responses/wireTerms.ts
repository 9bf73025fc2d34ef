import { AfterimageError, failure } from '../../core/errors.ts';

/** Fields under the names they have in the layers below, and what a request calls them. */
const renamed: readonly (readonly [RegExp, string])[] = [
  [/^format(?=$|[.[])/, 'text.format'],
  [/^toolChoice(?=$|[.[])/, 'tool_choice'],
  [/^parallelToolCalls$/, 'parallel_tool_calls'],
  [/^maxOutputTokens$/, 'max_output_tokens'],
  [/^idempotency_key$/, 'Idempotency-Key'],
];

/** The same error with the name of the field as the client wrote it, and OpenAI's own code for a lost chain. */
export function inWireTerms(
  error: unknown,
  { previous_response_id: previous }: { previous_response_id?: string | null | undefined },
): unknown {
  if (!(error instanceof AfterimageError)) return error;
  const { code, details } = error;
  // The id in the details is cut when it is longer than any of ours.
  if (code === 'not_found' && details.object === 'response' && previous?.startsWith(String(details.id))) {
    const param = 'previous_response_id';
    return failure('previous_response_not_found', { param, id: String(details.id) }, { cause: error });
  }
  const rule = renamed.find(([pattern]) => pattern.test(String(details.param)));
  if (!rule) return error;
  const param = String(details.param).replace(...rule);
  return new AfterimageError(code, { ...details, param }, { cause: error });
}
