import { z } from '@hono/zod-openapi';

/** The error object as it is documented; `errorReply` makes it. */
export const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string(),
    }),
  })
  .openapi('Error');

interface Documented {
  readonly responses?: Readonly<Record<string, unknown>>;
}

/** Any route can refuse what it is sent, and fail. */
const anyRefusal = {
  description: 'A refusal or failure; `code` says which, docs/errors.md lists them all.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

/** Adds the error response to every operation that doesn't describe its own. */
export function withErrorResponses<Paths extends object>(paths: Paths): Paths {
  const added = Object.entries(paths).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations as Record<string, Documented>).map(([method, operation]) => [
        method,
        {
          ...operation,
          responses: { ...operation.responses, default: operation.responses?.default ?? anyRefusal },
        },
      ]),
    ),
  ]);
  return Object.fromEntries(added) as Paths;
}
