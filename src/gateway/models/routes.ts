import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { EngineInfo } from '../../core/request.ts';
import { newRoutes } from '../http/newRoutes.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { modelId, resolveModel } from './modelName.ts';

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().openapi({ description: 'Unix seconds: since when this server offers it.' }),
    owned_by: z.literal('afterimage'),
    root: z.string().openapi({ description: 'Extension. Another id than its own when this is an alias.' }),
    context_length: z
      .int()
      .openapi({ description: 'Extension. Tokens that prompt and answer may have together.' }),
    vision: z.literal(true).openapi({ description: 'Extension.' }),
  })
  .openapi('Model');

const listModels = createRoute({
  method: 'get',
  path: '/v1/models',
  operationId: 'listModels',
  summary: 'List the names that requests may give as model',
  tags: ['Models'],
  responses: {
    200: {
      description: 'All of them.',
      content: {
        'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }) },
      },
    },
  },
});

const getModel = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  operationId: 'getModel',
  summary: 'Get a model by one of its names',
  tags: ['Models'],
  request: { params: z.object({ model: z.string() }) },
  responses: {
    200: { description: 'The model.', content: { 'application/json': { schema: modelSchema } } },
  },
});

/** OpenAI's Models API: the one model this server runs, under each of its names. */
export function modelRoutes(parts: GatewayParts): OpenAPIHono<GatewayEnv> {
  const offeredSince = Math.floor(Date.now() / 1_000);
  const wireModel = (id: string, { model, contextTokens }: EngineInfo) => ({
    id,
    object: 'model' as const,
    created: offeredSince,
    owned_by: 'afterimage' as const,
    root: modelId(model),
    context_length: contextTokens,
    vision: true as const,
  });
  return newRoutes()
    .openapi(listModels, async (c) => {
      const info = await parts.engine.ready();
      const ids = new Set([modelId(info.model), ...parts.config.modelAliases]);
      return c.json({ object: 'list' as const, data: [...ids].map((id) => wireModel(id, info)) }, 200);
    })
    .openapi(getModel, async (c) => {
      const { model } = c.req.valid('param');
      const id = await resolveModel(parts, model);
      const shown = parts.config.modelAliases.includes(model) ? model : id;
      return c.json(wireModel(shown, await parts.engine.ready()), 200);
    });
}
