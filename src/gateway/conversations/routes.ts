import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ConversationView } from '../../session/view.ts';
import { newRoutes } from '../http/newRoutes.ts';
import type { WireInput } from '../items/inputSchema.ts';
import { includeOf, listBody } from '../items/listQuery.ts';
import { toInputItems } from '../items/toInputItems.ts';
import { wireItem } from '../items/wireItem.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import {
  createConversation,
  createItems,
  deleteConversation,
  deleteItem,
  getConversation,
  getItem,
  listItems,
  updateConversation,
} from './definitions.ts';

/** OpenAI's Conversations API. Deleting a conversation deletes what was made in it as well, and says so. */
export function conversationRoutes(parts: GatewayParts): OpenAPIHono<GatewayEnv> {
  const { conversations } = parts.sessions;
  const inputItems = (items: WireInput, { tenant, spend }: { tenant: string; spend: Spend }) =>
    toInputItems(items, { tenant, parts, spend, field: 'items' });

  return newRoutes()
    .openapi(createConversation, async (c) => {
      const { items, metadata, idle_ttl_ms: idleTtlMs } = c.req.valid('json');
      const { tenant } = c.get('principal');
      const view = await conversations.create(tenant, {
        items: await inputItems(items ?? [], { tenant, spend: c.get('spend') }),
        metadata: metadata ?? {},
        ...(idleTtlMs != null && { idleTtlMs }),
      });
      return c.json(wireConversation(view), 200);
    })
    .openapi(getConversation, async (c) => {
      const { conversation_id: id } = c.req.valid('param');
      return c.json(wireConversation(await conversations.get(c.get('principal').tenant, id)), 200);
    })
    .openapi(updateConversation, async (c) => {
      const { conversation_id: id } = c.req.valid('param');
      const { metadata } = c.req.valid('json');
      const view = await conversations.update(c.get('principal').tenant, id, metadata ?? {});
      return c.json(wireConversation(view), 200);
    })
    .openapi(deleteConversation, async (c) => {
      const { conversation_id: id } = c.req.valid('param');
      const { bytesFreed, ...removed } = await conversations.delete(c.get('principal').tenant, id);
      return c.json(
        {
          id,
          object: 'conversation.deleted' as const,
          deleted: true as const,
          removed: { ...removed, bytes_freed: bytesFreed },
        },
        200,
      );
    })
    .openapi(createItems, async (c) => {
      const { conversation_id: id } = c.req.valid('param');
      const { items } = c.req.valid('json');
      const include = includeOf(c.req.valid('query'));
      const { tenant } = c.get('principal');
      // Before any picture of it is counted and stored.
      await conversations.get(tenant, id);
      const added = await conversations.append(
        tenant,
        id,
        await inputItems(items, { tenant, spend: c.get('spend') }),
        { retryCount: retryCountOf(c.req.header('x-stainless-retry-count')) },
      );
      return c.json(
        listBody(
          added.map((item) => wireItem(item, include)),
          false,
        ),
        200,
      );
    })
    .openapi(listItems, async (c) => {
      const { conversation_id: id } = c.req.valid('param');
      const { after, limit, order, ...query } = c.req.valid('query');
      const include = includeOf(query);
      const page = await conversations.items(c.get('principal').tenant, id, {
        ...(after !== undefined && { after }),
        ...(limit !== undefined && { limit }),
        ...(order !== undefined && { order }),
      });
      return c.json(
        listBody(
          page.data.map((item) => wireItem(item, include)),
          page.hasMore,
        ),
        200,
      );
    })
    .openapi(getItem, async (c) => {
      const { conversation_id: id, item_id: itemId } = c.req.valid('param');
      const include = includeOf(c.req.valid('query'));
      const item = await conversations.item(c.get('principal').tenant, id, itemId);
      return c.json(wireItem(item, include), 200);
    })
    .openapi(deleteItem, async (c) => {
      const { conversation_id: id, item_id: itemId } = c.req.valid('param');
      const view = await conversations.deleteItem(c.get('principal').tenant, id, itemId);
      return c.json(wireConversation(view), 200);
    });
}

type Spend = GatewayEnv['Variables']['spend'];

function wireConversation({ id, createdAtMs, metadata }: ConversationView) {
  return {
    id,
    object: 'conversation' as const,
    created_at: Math.floor(createdAtMs / 1_000),
    metadata: { ...metadata },
  };
}

/** What official clients count their retries in; anything else is a first try. */
function retryCountOf(header: string | undefined): number {
  return header !== undefined && /^\d{1,4}$/.test(header) ? Number(header) : 0;
}
