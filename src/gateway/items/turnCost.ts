import { z } from '@hono/zod-openapi';
import type { TurnResult } from '../../session/record.ts';

/** What every answer tells besides its wire format's own fields: what it cost and what was saved. */
export function costOf({
  usage,
  timings,
  tier,
  plan,
  droppedItems,
}: TurnResult): z.output<typeof costSchema> {
  return {
    images_encoded: usage.imagesEncoded,
    images_reused: usage.imagesReused,
    tokens_reused: usage.reusedTokens,
    tokens_computed: usage.promptTokens - usage.reusedTokens,
    tier,
    load_ms: timings.loadMs ?? 0,
    encode_ms: timings.encodeMs,
    prefill_ms: timings.prefillMs,
    first_token_ms: timings.firstTokenMs,
    queued_ms: timings.queuedMs,
    plan: plan ? { estimated_ms: plan.estimatedMs, actual_ms: plan.actualMs } : null,
    dropped_items: droppedItems,
  };
}

export const costSchema = z
  .object({
    images_encoded: z.int(),
    images_reused: z.int(),
    tokens_reused: z.int(),
    tokens_computed: z.int(),
    tier: z
      .enum(['hot', 'ram', 'disk', 'features', 'pixels', 'none'])
      .openapi({ description: 'Where the state came from.' }),
    load_ms: z.number().openapi({ description: 'Bringing attention state back into the cache.' }),
    encode_ms: z.number(),
    prefill_ms: z.number(),
    first_token_ms: z.number(),
    queued_ms: z.number(),
    plan: z
      .object({ estimated_ms: z.number(), actual_ms: z.number() })
      .nullable()
      .openapi({ description: 'Loading, encoding and prefill: what they were estimated to take, and took.' }),
    dropped_items: z.int().openapi({ description: 'Old items left out by truncation: auto.' }),
  })
  .openapi({ description: 'Extension: what the answer cost and saved.' });
