import { z } from '@hono/zod-openapi';

/** What the OpenAI APIs let a client ask for beyond the usual fields. */
const includable = [
  'message.input_image.image_url',
  'message.output_text.logprobs',
  'reasoning.encrypted_content',
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'code_interpreter_call.outputs',
  'computer_call_output.output.image_url',
] as const;

const includeValue = z.enum(includable).superRefine((value, ctx) => {
  // The others ask for more of items that are never here; this one would be asked for in vain.
  if (value !== 'message.output_text.logprobs') return;
  ctx.addIssue({
    code: 'custom',
    message: 'log probabilities are not kept',
    params: { unsupported: true },
  });
});

/** Of a query: given once it is a string, more often a list. */
const includeField = z
  .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(includeValue))
  .optional();

/** Official clients send `include[]`. */
export const includeQuery = { include: includeField, 'include[]': includeField };

export const includeQuerySchema = z.strictObject(includeQuery);

export const limitUpTo = (most: number) =>
  z
    .string()
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= most, {
      error: ({ input }) => `must be a whole number from 1 to ${most}, got ${String(input).slice(0, 20)}`,
    })
    .transform(Number)
    .optional();

export const listQuerySchema = z.strictObject({
  after: z.string().optional(),
  limit: limitUpTo(100),
  order: z.enum(['asc', 'desc']).optional(),
  ...includeQuery,
});

export function includeOf(query: z.output<typeof includeQuerySchema>): ReadonlySet<string> {
  return new Set([...(query.include ?? []), ...(query['include[]'] ?? [])]);
}

/** Ids are null on an empty page. */
export function listBody<T extends object>(data: readonly T[], hasMore: boolean) {
  const idOf = (entry: T | undefined): string | null =>
    entry && 'id' in entry && typeof entry.id === 'string' ? entry.id : null;
  return {
    object: 'list' as const,
    data: [...data],
    first_id: idOf(data[0]),
    last_id: idOf(data.at(-1)),
    has_more: hasMore,
  };
}
