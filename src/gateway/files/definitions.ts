import { createRoute, z } from '@hono/zod-openapi';
import { filePageLimits } from '../../session/fileVault.ts';
import { limitUpTo, listQuerySchema } from '../items/listQuery.ts';
import { purposes } from './uploadForm.ts';

export const fileSchema = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.int(),
    created_at: z.int().openapi({ description: 'Unix seconds.' }),
    expires_at: z.int().optional().openapi({ description: 'Unix seconds. Left out: kept until deleted.' }),
    filename: z.string(),
    purpose: z.string(),
    status: z.literal('processed'),
    afterimage: z.object({
      sha256: z.string().openapi({ description: 'Of the bytes, in hex.' }),
      known: z
        .boolean()
        .optional()
        .openapi({ description: 'In the reply to an upload: identical bytes were stored already.' }),
    }),
  })
  .openapi('File');

/** Not a schema that is checked: the form is read, and refused, within the limits of a file. */
const uploadForm = {
  type: 'object' as const,
  required: ['file', 'purpose'],
  properties: {
    file: { type: 'string' as const, format: 'binary' },
    purpose: { type: 'string' as const, enum: [...purposes] },
    'expires_after[anchor]': { type: 'string' as const, enum: ['created_at'] },
    'expires_after[seconds]': { type: 'integer' as const, minimum: 3_600, maximum: 2_592_000 },
  },
};

const tags = ['Files'];
const params = z.object({ file_id: z.string() });
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

export const createFile = createRoute({
  method: 'post',
  path: '/v1/files',
  operationId: 'createFile',
  summary: 'Upload a file',
  description: 'Purpose vision is for pictures: one that can not be used is refused at once.',
  tags,
  request: { body: { required: true, content: { 'multipart/form-data': { schema: uploadForm } } } },
  responses: { 200: { description: 'The file.', content: json(fileSchema) } },
});

export const listFiles = createRoute({
  method: 'get',
  path: '/v1/files',
  operationId: 'listFiles',
  summary: 'List files, newest first unless asked otherwise',
  tags,
  request: {
    query: listQuerySchema
      .pick({ after: true, order: true })
      .extend({ limit: limitUpTo(filePageLimits.most), purpose: z.string().optional() }),
  },
  responses: {
    200: {
      description: 'One page.',
      content: json(
        z.object({
          object: z.literal('list'),
          data: z.array(fileSchema),
          first_id: z.string().nullable(),
          last_id: z.string().nullable(),
          has_more: z.boolean(),
        }),
      ),
    },
  },
});

export const getFile = createRoute({
  method: 'get',
  path: '/v1/files/{file_id}',
  operationId: 'getFile',
  summary: 'Get a file',
  tags,
  request: { params },
  responses: { 200: { description: 'The file.', content: json(fileSchema) } },
});

export const getFileContent = createRoute({
  method: 'get',
  path: '/v1/files/{file_id}/content',
  operationId: 'getFileContent',
  summary: 'Get the bytes of a file',
  tags,
  request: { params },
  responses: {
    200: {
      description: 'The bytes as they were uploaded.',
      content: { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } },
    },
  },
});

export const deleteFile = createRoute({
  method: 'delete',
  path: '/v1/files/{file_id}',
  operationId: 'deleteFile',
  summary: 'Delete a file',
  description: 'Sessions that show it go on showing it; its bytes go with the last of them.',
  tags,
  request: { params },
  responses: {
    200: {
      description: 'It is gone.',
      content: json(
        z.object({
          id: z.string(),
          object: z.literal('file'),
          deleted: z.literal(true),
          removed: z.object({ bytes_freed: z.int() }),
        }),
      ),
    },
  },
});
