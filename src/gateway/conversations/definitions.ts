import { createRoute, type z } from '@hono/zod-openapi';
import { includeQuerySchema, listQuerySchema } from '../items/listQuery.ts';
import {
  appendBody,
  conversationPath,
  conversationSchema,
  createBody,
  deletedSchema,
  itemPageSchema,
  itemPath,
  itemSchema,
  updateBody,
} from './schemas.ts';

const tags = ['Conversations'];
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const reply = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  200: { description, content: json(schema) },
});

export const createConversation = createRoute({
  method: 'post',
  path: '/v1/conversations',
  operationId: 'createConversation',
  summary: 'Begin a conversation',
  tags,
  request: { body: { content: json(createBody) } },
  responses: reply('The conversation.', conversationSchema),
});

export const getConversation = createRoute({
  method: 'get',
  path: '/v1/conversations/{conversation_id}',
  operationId: 'getConversation',
  summary: 'Get a conversation',
  tags,
  request: { params: conversationPath },
  responses: reply('The conversation.', conversationSchema),
});

export const updateConversation = createRoute({
  method: 'post',
  path: '/v1/conversations/{conversation_id}',
  operationId: 'updateConversation',
  summary: 'Replace the metadata of a conversation',
  tags,
  request: { params: conversationPath, body: { required: true, content: json(updateBody) } },
  responses: reply('The conversation.', conversationSchema),
});

export const deleteConversation = createRoute({
  method: 'delete',
  path: '/v1/conversations/{conversation_id}',
  operationId: 'deleteConversation',
  summary: 'Delete a conversation with its items, its responses and their pictures',
  tags,
  request: { params: conversationPath },
  responses: reply('What went.', deletedSchema),
});

export const createItems = createRoute({
  method: 'post',
  path: '/v1/conversations/{conversation_id}/items',
  operationId: 'createConversationItems',
  summary: 'Add up to 20 items at the end',
  tags,
  request: {
    params: conversationPath,
    query: includeQuerySchema,
    body: { required: true, content: json(appendBody) },
  },
  responses: reply('The items, with their ids.', itemPageSchema),
});

export const listItems = createRoute({
  method: 'get',
  path: '/v1/conversations/{conversation_id}/items',
  operationId: 'listConversationItems',
  summary: 'List items, newest first unless asked otherwise',
  tags,
  request: { params: conversationPath, query: listQuerySchema },
  responses: reply('A page of items.', itemPageSchema),
});

export const getItem = createRoute({
  method: 'get',
  path: '/v1/conversations/{conversation_id}/items/{item_id}',
  operationId: 'getConversationItem',
  summary: 'Get an item',
  tags,
  request: { params: itemPath, query: includeQuerySchema },
  responses: reply('The item.', itemSchema),
});

export const deleteItem = createRoute({
  method: 'delete',
  path: '/v1/conversations/{conversation_id}/items/{item_id}',
  operationId: 'deleteConversationItem',
  summary: 'Erase an item; no turn sees it again',
  tags,
  request: { params: itemPath },
  responses: reply('The conversation.', conversationSchema),
});
