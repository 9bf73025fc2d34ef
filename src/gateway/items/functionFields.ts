import { z } from '@hono/zod-openapi';
import { isJsonObject } from '../../core/tools.ts';
import { shown } from '../http/wording.ts';

/** Fields of functions and their calls, the same in both APIs. */

export const functionName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, {
    error: ({ input }) => `must be 1 to 64 letters, digits, _ or -, got ${shown(input)}`,
  })
  .openapi({ example: 'find_product' });

export const callArguments = z
  .string()
  .refine(isJsonObject, { error: ({ input }) => `must be a JSON object, got ${shown(input)}` })
  .openapi({ description: 'A JSON object as text.' });
