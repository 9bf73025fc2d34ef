import { setTimeout } from 'node:timers/promises';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { InferencePort } from '../../core/inference.ts';
import type { SessionDetails, SessionSummary } from '../../session/catalogue.ts';
import { newRoutes } from '../http/newRoutes.ts';
import { listBody, listQuerySchema } from '../items/listQuery.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';

const sessionSchema = z
  .object({
    id: z.string(),
    object: z.literal('session'),
    conversation_id: z.string().nullable(),
    last_response_id: z.string().nullable(),
    turns: z.int(),
    items: z.int(),
    pictures: z.int(),
    record_bytes: z.int().openapi({ description: 'Without its pictures.' }),
    created_at: z.int().openapi({ description: 'Unix seconds.' }),
    expires_at: z.int().openapi({ description: 'Unix seconds, unless it is used again.' }),
    version: z.int(),
  })
  .openapi('Session');

const pictureSchema = z.object({
  number: z.int().openapi({ description: 'In the order they came, from 1.' }),
  digest: z.string(),
  width: z.int().openapi({ description: 'As the model sees it.' }),
  height: z.int(),
  nearest: z
    .object({
      number: z.int(),
      cosine: z.number().openapi({ description: 'Of their image vectors, -1 to 1.' }),
      likeness: z.enum(['same', 'near_duplicate', 'different']),
    })
    .nullable()
    .openapi({
      description: 'The picture of the session that is most like it; null when none can be compared.',
    }),
});

const sessionDetailsSchema = sessionSchema
  .extend({
    picture_list: z.array(pictureSchema),
    picture_in_question: z
      .union([z.int(), z.literal('all')])
      .nullable()
      .openapi({
        description:
          'Which picture the last question means, by its words: a guess, on which nothing depends.',
      }),
    state: z
      .array(
        z.object({
          key: z.string(),
          parent: z.string().nullable(),
          kind: z.enum(['text', 'image']),
          tokens: z.int(),
          tiers: z.object({
            hot: z.int().optional(),
            ram: z.int().optional(),
            disk: z.int().optional(),
            features: z.int().optional(),
          }),
        }),
      )
      .nullable()
      .openapi({
        description:
          'What the engine keeps for it, as the tree its prompts make, parents first; bytes by tier. Null when the engine does not answer.',
      }),
  })
  .openapi('SessionDetails');

const tags = ['Sessions'];
const byId = z.object({
  session_id: z
    .string()
    .openapi({ description: 'Of the session, of its conversation or of one of its responses.' }),
});
/** An engine that is just starting is not waited for. */
const engineWaitMs = 1_000;
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

const listSessions = createRoute({
  method: 'get',
  path: '/v1/sessions',
  operationId: 'listSessions',
  summary: "List the sessions of the key's tenant",
  description:
    'In order of their ids, which are random: a session that is made meanwhile can be on any page.',
  tags,
  request: { query: listQuerySchema.pick({ after: true, limit: true }) },
  responses: {
    200: {
      description: 'One page.',
      content: json(
        z.object({
          object: z.literal('list'),
          data: z.array(sessionSchema),
          first_id: z.string().nullable(),
          last_id: z.string().nullable(),
          has_more: z.boolean(),
        }),
      ),
    },
  },
});

const getSession = createRoute({
  method: 'get',
  path: '/v1/sessions/{session_id}',
  operationId: 'getSession',
  summary: 'Get a session',
  tags,
  request: { params: byId },
  responses: { 200: { description: 'As it stands now.', content: json(sessionDetailsSchema) } },
});

const deleteSession = createRoute({
  method: 'delete',
  path: '/v1/sessions/{session_id}',
  operationId: 'deleteSession',
  summary: 'End a session and erase everything made from it',
  tags,
  request: { params: byId },
  responses: {
    200: {
      description: 'What went.',
      content: json(
        z.object({
          id: z.string(),
          object: z.literal('session.deleted'),
          deleted: z.literal(true),
          removed: z.object({
            items: z.int(),
            responses: z.int(),
            pictures: z.int(),
            bytes_freed: z.int(),
          }),
        }),
      ),
    },
  },
});

/** Our own: sessions as their operator sees them. */
export function sessionRoutes({ sessions: { sessions }, engine }: GatewayParts): OpenAPIHono<GatewayEnv> {
  return newRoutes()
    .openapi(listSessions, async (c) => {
      const { after, limit } = c.req.valid('query');
      const page = await sessions.list(c.get('principal').tenant, {
        ...(after !== undefined && { after }),
        ...(limit !== undefined && { limit }),
      });
      return c.json(listBody(page.data.map(wireSession), page.hasMore), 200);
    })
    .openapi(getSession, async (c) => {
      const { session_id: id } = c.req.valid('param');
      const { tenant } = c.get('principal');
      const session = await sessions.get(tenant, id);
      return c.json({ ...wireDetails(session), state: await stateOf(engine, tenant, session.id) }, 200);
    })
    .openapi(deleteSession, async (c) => {
      const { session_id: id } = c.req.valid('param');
      const { bytesFreed, ...removed } = await sessions.delete(c.get('principal').tenant, id);
      return c.json(
        {
          id,
          object: 'session.deleted' as const,
          deleted: true as const,
          removed: { ...removed, bytes_freed: bytesFreed },
        },
        200,
      );
    });
}

function wireSession(session: SessionSummary) {
  return {
    id: session.id,
    object: 'session' as const,
    conversation_id: session.conversationId,
    last_response_id: session.lastResponseId,
    turns: session.turns,
    items: session.items,
    pictures: session.pictures,
    record_bytes: session.recordBytes,
    created_at: seconds(session.createdAtMs),
    expires_at: seconds(session.expiresAtMs),
    version: session.version,
  };
}

/** The session is there whether or not the engine is. */
async function stateOf(engine: InferencePort, tenant: string, session: string) {
  const nodes = await Promise.race([
    engine.stateTree(tenant, session).catch(() => null),
    setTimeout(engineWaitMs, null, { ref: false }),
  ]);
  return nodes === null ? null : nodes.map((node) => ({ ...node, tiers: { ...node.tiers } }));
}

function wireDetails({ pictureList, pictureInQuestion, ...session }: SessionDetails) {
  return {
    ...wireSession(session),
    picture_list: [...pictureList],
    picture_in_question: pictureInQuestion,
  };
}

const seconds = (ms: number): number => Math.floor(ms / 1_000);
