import { z } from '@hono/zod-openapi';

/** What replies are documented as; `completion.ts` makes them. */
const usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().openapi({ description: 'Their attention state was there already.' }),
    image_tokens: z.int(),
    audio_tokens: z.int(),
  }),
  completion_tokens_details: z.object({ reasoning_tokens: z.int(), audio_tokens: z.int() }),
});

const cost = z
  .object({
    images_encoded: z.int(),
    images_reused: z.int(),
    tokens_reused: z.int(),
    tokens_computed: z.int(),
    tier: z.enum(['hot', 'features', 'pixels', 'none']),
    encode_ms: z.number(),
    first_token_ms: z.number(),
    queued_ms: z.number(),
  })
  .openapi({ description: 'Extension: what the answer cost and saved.' });

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
    afterimage: cost,
  })
  .openapi('ChatCompletion');
