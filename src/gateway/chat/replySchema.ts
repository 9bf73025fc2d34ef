import { z } from '@hono/zod-openapi';
import { costSchema } from '../items/turnCost.ts';

/** What replies are documented as; `completion.ts` makes them. */
const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().openapi({ description: 'Their attention state was there already.' }),
    cache_write_tokens: z.int().openapi({ description: 'The others: they were computed.' }),
    image_tokens: z.int(),
    audio_tokens: z.int(),
  }),
  completion_tokens_details: z.object({ reasoning_tokens: z.int(), audio_tokens: z.int() }),
});

export const completionSchema = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int(),
    model: z.string(),
    system_fingerprint: z.string(),
    service_tier: z.literal('default'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          annotations: z.array(z.unknown()),
          tool_calls: z
            .array(
              z.object({
                id: z.string(),
                type: z.literal('function'),
                function: z.object({ name: z.string(), arguments: z.string() }),
              }),
            )
            .optional(),
        }),
        logprobs: z.null(),
        finish_reason: z.enum(['stop', 'length', 'tool_calls']),
      }),
    ),
    usage,
    afterimage: costSchema,
  })
  .openapi('ChatCompletion');
