import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { newRoutes } from '../http/newRoutes.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { createCompletion } from './createCompletion.ts';
import { completionSchema } from './replySchema.ts';
import { chatSchema } from './requestSchema.ts';

const createCompletionRoute = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  operationId: 'createChatCompletion',
  summary: 'Answer a conversation that is sent whole',
  description:
    'Nothing is kept, but pictures and text that were sent before are not computed again. A retry is answered anew, ' +
    'with an `Idempotency-Key` or without.',
  tags: ['Chat Completions'],
  request: { body: { required: true, content: { 'application/json': { schema: chatSchema } } } },
  responses: {
    200: {
      description: 'The completion, or its chunks when `stream` is true.',
      content: {
        'application/json': { schema: completionSchema },
        'text/event-stream': { schema: { type: 'string' as const } },
      },
    },
  },
});

/** OpenAI's Chat Completions API. */
export function chatRoutes(parts: GatewayParts): OpenAPIHono<GatewayEnv> {
  return newRoutes().openapi(
    createCompletionRoute,
    // Whether it is the completion or its chunks only the body says, so no type can.
    async (c) => (await createCompletion(c, parts, c.req.valid('json'))) as never,
  );
}
