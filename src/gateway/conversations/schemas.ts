import { z } from '@hono/zod-openapi';
import { itemListSchema } from '../items/inputSchema.ts';
import { metadataSchema } from '../items/metadata.ts';

/** As many as OpenAI takes at once; more go in several requests. */
const maxItems = 20;

const items = itemListSchema.max(maxItems);

export const createBody = z.strictObject({
  items: items.nullish(),
  metadata: metadataSchema.nullish(),
  idle_ttl_ms: z
    .int()
    .min(1)
    .nullish()
    .openapi({ description: 'Extension. A shorter life when idle than the server gives.' }),
});
/** null takes all metadata away. */
export const updateBody = z.strictObject({ metadata: metadataSchema.nullable() });
export const appendBody = z.strictObject({ items });

export const conversationPath = z.object({ conversation_id: z.string() });
export const itemPath = z.object({ conversation_id: z.string(), item_id: z.string() });

export const conversationSchema = z
  .object({
    id: z.string(),
    object: z.literal('conversation'),
    created_at: z.number().openapi({ description: 'Unix seconds.' }),
    metadata: z.record(z.string(), z.string()),
  })
  .openapi('Conversation');

export const itemSchema = z.looseObject({ id: z.string(), type: z.string() }).openapi('ConversationItem');

export const itemPageSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(itemSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('ConversationItemList');

export const deletedSchema = z
  .object({
    id: z.string(),
    object: z.literal('conversation.deleted'),
    deleted: z.literal(true),
    removed: z
      .object({
        items: z.number(),
        responses: z.number(),
        pictures: z.number(),
        bytes_freed: z.number().openapi({ description: 'Of pictures that nothing else shows.' }),
      })
      .openapi({ description: 'Everything that went with it.' }),
  })
  .openapi('DeletedConversation');
