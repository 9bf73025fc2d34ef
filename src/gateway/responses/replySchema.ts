import { z } from '@hono/zod-openapi';
import { costSchema } from '../items/turnCost.ts';

/** Shapes of replies, for the OpenAPI document; official clients have the rest in their types. */

const usage = z.looseObject({
  input_tokens: z.int(),
  input_tokens_details: z.looseObject({
    cached_tokens: z.int().openapi({ description: 'Prompt tokens whose attention state was still there.' }),
    cache_write_tokens: z.int(),
    image_tokens: z.int(),
  }),
  output_tokens: z.int(),
  output_tokens_details: z.looseObject({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});

export const responseSchema = z
  .looseObject({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int(),
    completed_at: z.int().nullable(),
    status: z.enum(['in_progress', 'completed', 'incomplete', 'failed', 'cancelled']),
    error: z
      .object({
        code: z.enum(['server_error', 'invalid_prompt']),
        message: z.string(),
        afterimage_code: z.string().openapi({ description: 'Extension: the code of docs/errors.md.' }),
      })
      .nullable(),
    incomplete_details: z.object({ reason: z.string() }).nullable(),
    model: z.string(),
    previous_response_id: z.string().nullable(),
    conversation: z.object({ id: z.string() }).nullable(),
    output: z.array(z.looseObject({ id: z.string(), type: z.string() })),
    usage: usage.nullable(),
    afterimage: costSchema.nullable().openapi({ description: 'Extension. Null until there is an answer.' }),
  })
  .openapi('Response');

export const deletedSchema = z
  .object({
    id: z.string(),
    object: z.literal('response'),
    deleted: z.literal(true),
    removed: z
      .object({
        items: z.int(),
        responses: z.int(),
        pictures: z.int(),
        bytes_freed: z.int().openapi({ description: 'Of pictures that nothing else shows.' }),
      })
      .nullable()
      .openapi({ description: 'Extension: what went with the session; null while the session lives on.' }),
  })
  .openapi('DeletedResponse');

export const itemPageSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(z.looseObject({ id: z.string(), type: z.string() })),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('ResponseInputItems');

export const tokenCountSchema = z
  .object({
    object: z.literal('response.input_tokens'),
    input_tokens: z.int(),
    image_tokens: z.int().openapi({ description: 'Extension: how many of them are pictures.' }),
    token_limit: z.int().openapi({ description: 'Extension: the most that prompt and answer may have.' }),
  })
  .openapi('InputTokens');

/** Events as OpenAI names them, each with its `sequence_number`; ends with `data: [DONE]`. */
export const eventStreamContent = { 'text/event-stream': { schema: z.string() } };
