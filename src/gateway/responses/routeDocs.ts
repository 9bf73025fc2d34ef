import { createRoute, z } from '@hono/zod-openapi';
import { shown } from '../http/wording.ts';
import { includeQuery, listQuerySchema } from '../items/listQuery.ts';
import {
  deletedSchema,
  eventStreamContent,
  itemPageSchema,
  responseSchema,
  tokenCountSchema,
} from './replySchema.ts';
import { countSchema, createSchema } from './requestSchema.ts';

const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const byId = z.object({ response_id: z.string() });

/** A flag of a query: what official clients make of a boolean. */
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const retrieveQuery = z.strictObject({
  ...includeQuery,
  stream: flag.optional(),
  starting_after: z
    .string()
    .regex(/^\d{1,9}$/, {
      error: ({ input }) => `must be the whole number of an event, from 0, got ${shown(input)}`,
    })
    .transform(Number)
    .optional(),
  include_obfuscation: flag.optional(),
});

export const createResponseRoute = createRoute({
  method: 'post',
  path: '/v1/responses',
  operationId: 'createResponse',
  summary: 'Ask the model',
  tags: ['Responses'],
  request: { body: { required: true, content: json(createSchema) } },
  responses: {
    200: {
      description: 'The response, or its events when `stream` is true.',
      content: { ...json(responseSchema), ...eventStreamContent },
    },
  },
});

export const countInputTokensRoute = createRoute({
  method: 'post',
  path: '/v1/responses/input_tokens',
  operationId: 'countInputTokens',
  summary: 'Count what a prompt would take',
  tags: ['Responses'],
  request: { body: { required: true, content: json(countSchema) } },
  responses: { 200: { description: 'The count.', content: json(tokenCountSchema) } },
});

export const getResponseRoute = createRoute({
  method: 'get',
  path: '/v1/responses/{response_id}',
  operationId: 'getResponse',
  summary: 'Read a response, or follow a background one',
  tags: ['Responses'],
  request: { params: byId, query: retrieveQuery },
  responses: {
    200: {
      description: 'The response, or its events when `stream` is true.',
      content: { ...json(responseSchema), ...eventStreamContent },
    },
  },
});

export const deleteResponseRoute = createRoute({
  method: 'delete',
  path: '/v1/responses/{response_id}',
  operationId: 'deleteResponse',
  summary: 'Erase a response and what only it led to',
  tags: ['Responses'],
  request: { params: byId },
  responses: { 200: { description: 'It is gone.', content: json(deletedSchema) } },
});

export const cancelResponseRoute = createRoute({
  method: 'post',
  path: '/v1/responses/{response_id}/cancel',
  operationId: 'cancelResponse',
  summary: 'Stop a background response',
  tags: ['Responses'],
  request: { params: byId },
  responses: {
    200: { description: 'The response as it stands now.', content: json(responseSchema) },
  },
});

export const listInputItemsRoute = createRoute({
  method: 'get',
  path: '/v1/responses/{response_id}/input_items',
  operationId: 'listInputItems',
  summary: 'List the items a request brought',
  tags: ['Responses'],
  request: { params: byId, query: listQuerySchema },
  responses: { 200: { description: 'One page.', content: json(itemPageSchema) } },
});
