import type { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { failure } from '../../core/errors.ts';
import type { ResponseView } from '../../session/view.ts';
import { newRoutes } from '../http/newRoutes.ts';
import { includeOf, listBody } from '../items/listQuery.ts';
import { toInputItems } from '../items/toInputItems.ts';
import { wireItem } from '../items/wireItem.ts';
import { resolveModel } from '../models/modelName.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { eventStreamResponse } from '../sse/eventStream.ts';
import { createResponse } from './createResponse.ts';
import type { itemPageSchema, responseSchema } from './replySchema.ts';
import type { CountBody } from './requestSchema.ts';
import {
  cancelResponseRoute,
  countInputTokensRoute,
  createResponseRoute,
  deleteResponseRoute,
  getResponseRoute,
  listInputItemsRoute,
} from './routeDocs.ts';
import { streamFrames } from './streamFrames.ts';
import { toPromptRequest } from './toTurnRequest.ts';
import { refuseUnsupportedPrompt } from './unsupported.ts';
import { wireResponse } from './wireResponse.ts';
import { inWireTerms } from './wireTerms.ts';

/** OpenAI's Responses API. */
export function responsesRoutes(parts: GatewayParts): OpenAPIHono<GatewayEnv> {
  const routes = newRoutes();
  const { responses } = parts.sessions;
  const tenantOf = (c: Context<GatewayEnv>): string => c.get('principal').tenant;

  routes.openapi(createResponseRoute, async (c) =>
    asDocumented(await createResponse(c, parts, c.req.valid('json'))),
  );
  routes.openapi(countInputTokensRoute, async (c) => {
    const { promptTokens, imageTokens, limit } = await countInput(c, parts, c.req.valid('json'));
    return c.json(
      {
        object: 'response.input_tokens' as const,
        input_tokens: promptTokens,
        image_tokens: imageTokens,
        token_limit: limit,
      },
      200,
    );
  });
  routes.openapi(getResponseRoute, async (c) => {
    const { response_id: id } = c.req.valid('param');
    const query = c.req.valid('query');
    const include = includeOf(query);
    if (!query.stream) {
      refuseStreamOptions(query);
      return c.json(replyOf(await responses.get(tenantOf(c), id), include), 200);
    }
    if (query.include_obfuscation) {
      const problem = 'got true, only false is (events are never padded)';
      throw failure('unsupported_parameter', { param: 'include_obfuscation', problem });
    }
    const { starting_after: startingAfter } = query;
    const events = await responses.events(tenantOf(c), id);
    const frames = streamFrames(events, {
      include,
      logger: parts.logger,
      ...(startingAfter !== undefined && { startingAfter }),
    });
    const { slowReaderMs } = parts.config;
    // The turn goes on without this reader.
    return asDocumented(await eventStreamResponse(c, frames, { slowReaderMs, onDisconnect: () => {} }));
  });
  routes.openapi(deleteResponseRoute, async (c) => {
    const { response_id: id } = c.req.valid('param');
    const { removed } = await responses.delete(tenantOf(c), id);
    const gone = removed && {
      items: removed.items,
      responses: removed.responses,
      pictures: removed.pictures,
      bytes_freed: removed.bytesFreed,
    };
    return c.json({ id, object: 'response' as const, deleted: true as const, removed: gone ?? null }, 200);
  });
  routes.openapi(cancelResponseRoute, async (c) => {
    const { response_id: id } = c.req.valid('param');
    return c.json(replyOf(await responses.cancel(tenantOf(c), id), new Set()), 200);
  });
  routes.openapi(listInputItemsRoute, async (c) => {
    const { response_id: id } = c.req.valid('param');
    const query = c.req.valid('query');
    const { after, limit, order } = query;
    const include = includeOf(query);
    const page = await responses.inputItems(tenantOf(c), id, {
      ...(after !== undefined && { after }),
      ...(limit !== undefined && { limit }),
      ...(order !== undefined && { order }),
    });
    const data = page.data.map((item) => wireItem(item, include));
    return c.json(listBody(data, page.hasMore) as z.infer<typeof itemPageSchema>, 200);
  });
  return routes;
}

async function countInput(c: Context<GatewayEnv>, parts: GatewayParts, body: CountBody) {
  refuseUnsupportedPrompt(body);
  const { tenant } = c.get('principal');
  await resolveModel(parts, body.model ?? undefined);
  const input = await toInputItems(body.input ?? [], { tenant, parts, spend: c.get('spend') });
  try {
    return await parts.sessions.countInput(tenant, toPromptRequest(body, input));
  } catch (error) {
    throw inWireTerms(error, body);
  }
}

/** They mean nothing without a stream, so a request that has them is not what its sender thinks it is. */
function refuseStreamOptions(query: { starting_after?: number; include_obfuscation?: boolean }): void {
  for (const param of ['starting_after', 'include_obfuscation'] as const) {
    if (query[param] === undefined) continue;
    throw failure('invalid_parameter', { param, problem: 'needs stream=true' });
  }
}

function replyOf(view: ResponseView, include: ReadonlySet<string>): z.infer<typeof responseSchema> {
  return wireResponse(view, include) as z.infer<typeof responseSchema>;
}

/** A reply whose type can't say which of a route's documented bodies it has. */
function asDocumented(reply: Response): never {
  return reply as never;
}
