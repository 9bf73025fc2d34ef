import { z } from '@hono/zod-openapi';
import { functionName } from '../items/functionFields.ts';
import { oneOfTypes } from '../items/oneOfTypes.ts';

const jsonObject = z.record(z.string(), z.unknown());

const functionTool = z.strictObject({
  type: z.literal('function'),
  name: functionName,
  description: z.string().nullish(),
  parameters: jsonObject
    .nullish()
    .openapi({ description: 'JSON Schema of an object. Default: no arguments.' }),
  strict: z
    .boolean()
    .nullish()
    .openapi({ description: 'Arguments follow the schema exactly, enforced while sampling. Default false.' }),
  allowed_callers: z.array(z.string()).nullish(),
  async: z.boolean().nullish(),
  defer_loading: z.boolean().nullish(),
  output_schema: jsonObject.nullish(),
});

/** As many as OpenAI takes. */
const maxTools = 128;

/** Functions only: tools that OpenAI runs itself are `unsupported_parameter`. */
export const toolsSchema = z
  .array(oneOfTypes(z.discriminatedUnion('type', [functionTool]), ['function']))
  .max(maxTools);

const functionChoice = z.strictObject({ type: z.literal('function'), name: functionName });
const allowedTools = z.strictObject({
  type: z.literal('allowed_tools'),
  mode: z.enum(['auto', 'required']),
  tools: z
    .array(oneOfTypes(z.discriminatedUnion('type', [functionChoice]), ['function']))
    .min(1)
    .max(maxTools),
});

export const toolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required']),
  oneOfTypes(z.discriminatedUnion('type', [functionChoice, allowedTools]), ['function', 'allowed_tools']),
]);

const format = oneOfTypes(
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      name: functionName,
      schema: jsonObject,
      description: z.string().nullish(),
      strict: z
        .boolean()
        .nullish()
        .openapi({ description: 'The schema is always enforced, whatever it says.' }),
    }),
  ]),
  ['text', 'json_object', 'json_schema'],
);

export const textSchema = z.strictObject({
  format: format.nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
});

export type WireTool = z.output<typeof toolsSchema>[number];
export type WireToolChoice = z.output<typeof toolChoiceSchema>;
export type WireText = z.output<typeof textSchema>;
