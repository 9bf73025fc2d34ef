import { z } from '@hono/zod-openapi';
import { functionName } from '../items/functionFields.ts';
import { oneOfTypes } from '../items/oneOfTypes.ts';

const jsonObject = z.record(z.string(), z.unknown());
/** At most as many as OpenAI takes. */
const maxTools = 128;

const functionTool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: functionName,
    description: z.string().nullish(),
    parameters: jsonObject
      .nullish()
      .openapi({ description: 'JSON Schema of an object. Default: no arguments.' }),
    strict: z.boolean().nullish().openapi({
      description: 'Arguments follow the schema exactly, enforced while sampling. Default false.',
    }),
  }),
});

export const toolsSchema = z
  .array(oneOfTypes(z.discriminatedUnion('type', [functionTool]), ['function']))
  .max(maxTools);

const namedFunction = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({ name: functionName }),
});

const allowedTools = z.strictObject({
  type: z.literal('allowed_tools'),
  allowed_tools: z.strictObject({
    mode: z.enum(['auto', 'required']),
    tools: z
      .array(oneOfTypes(z.discriminatedUnion('type', [namedFunction]), ['function']))
      .min(1)
      .max(maxTools),
  }),
});

export const toolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required']),
  oneOfTypes(z.discriminatedUnion('type', [namedFunction, allowedTools]), ['function', 'allowed_tools']),
]);

export const responseFormatSchema = oneOfTypes(
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: functionName,
        schema: jsonObject,
        description: z.string().nullish(),
        strict: z.boolean().nullish().openapi({ description: 'Any value: the schema is always enforced.' }),
      }),
    }),
  ]),
  ['text', 'json_object', 'json_schema'],
);

export type ChatTool = z.output<typeof functionTool>;
export type ChatToolChoice = z.output<typeof toolChoiceSchema>;
export type ChatResponseFormat = z.output<typeof responseFormatSchema>;
