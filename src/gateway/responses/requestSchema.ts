import { z } from '@hono/zod-openapi';
import { requestLimits } from '../../core/validateRequest.ts';
import { inputSchema } from '../items/inputSchema.ts';
import { metadataSchema } from '../items/metadata.ts';
import { textSchema, toolChoiceSchema, toolsSchema } from './toolSchema.ts';

/** Labels that the reply only repeats; every response keeps its own, so they may not be long. */
const maxLabelLength = 512;
const label = z.string().max(maxLabelLength).nullish();

/** Fields that say what the model is shown, shared by making a response and by counting its tokens. */
export const promptFields = {
  input: inputSchema
    .nullish()
    .openapi({ description: 'May be left out when there is something to build on.' }),
  model: z.string().nullish().openapi({ description: 'Default: the model this server runs.' }),
  instructions: z.string().nullish(),
  previous_response_id: z.string().nullish(),
  conversation: z.union([z.string(), z.strictObject({ id: z.string() })]).nullish(),
  tools: toolsSchema.nullish(),
  tool_choice: toolChoiceSchema.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: textSchema.nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  reasoning: z
    .strictObject({
      effort: z.string().nullish(),
      summary: z.string().nullish(),
      generate_summary: z.string().nullish(),
      context: z.string().nullish(),
      mode: z.string().nullish(),
    })
    .nullish(),
};

/** Not OpenAI's: sampling as engines for open models know it. */
const samplingExtensions = {
  top_k: z.int().min(0).max(1_000_000).nullish().openapi({ description: 'Extension. 0 keeps all tokens.' }),
  min_p: z.number().min(0).max(1).nullish().openapi({ description: 'Extension.' }),
  repeat_penalty: z.number().min(0.1).max(10).nullish().openapi({ description: 'Extension. 1 is off.' }),
  seed: z.int().min(0).max(requestLimits.maxSeed).nullish().openapi({ description: 'Extension.' }),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).max(requestLimits.maxStopStrings)])
    .nullish()
    .openapi({ description: 'Extension. Generation stops before the first of these that appears.' }),
};

export const includeValues = [
  'code_interpreter_call.outputs',
  'computer_call_output.output.image_url',
  'file_search_call.results',
  'message.input_image.image_url',
  'message.output_text.logprobs',
  'reasoning.encrypted_content',
  'web_search_call.action.sources',
  'web_search_call.results',
] as const;

/** Body of `POST /v1/responses`. What OpenAI has and this server hasn't is checked apart, by `refuseUnsupported`. */
export const createSchema = z
  .strictObject({
    ...promptFields,
    ...samplingExtensions,
    store: z.boolean().nullish(),
    stream: z.boolean().nullish(),
    stream_options: z.strictObject({ include_obfuscation: z.boolean().nullish() }).nullish(),
    background: z.boolean().nullish(),
    include: z.array(z.enum(includeValues)).nullish(),
    metadata: metadataSchema.nullish(),
    max_output_tokens: z.int().min(1).nullish(),
    max_tool_calls: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: 'Limits calls of built-in tools, of which there are none.' }),
    temperature: z.number().min(0).max(2).nullish().openapi({ description: 'Default 0: greedy.' }),
    top_p: z.number().gt(0).max(1).nullish(),
    presence_penalty: z.number().min(-2).max(2).nullish(),
    frequency_penalty: z.number().min(-2).max(2).nullish(),
    top_logprobs: z.int().min(0).max(20).nullish(),
    prompt_cache_key: label,
    prompt_cache_options: z
      .strictObject({
        mode: z.enum(['implicit', 'explicit']).nullish(),
        ttl: z.enum(['30m', '12h']).nullish(),
        prewarm: z
          .boolean()
          .nullish()
          .openapi({ description: 'Encode and prefill now, answer later: the reply has no output.' }),
        comparison_response_id: z.string().nullish(),
      })
      .nullish(),
    prompt_cache_retention: z.enum(['in_memory', 'in-memory', '24h']).nullish(),
    safety_identifier: label,
    user: label,
    service_tier: z.string().nullish(),
    idle_ttl_ms: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: "Extension. Shortens the session's life when idle, from now on." }),
    access_programs: z.unknown().optional(),
    context_management: z.unknown().optional(),
    image: z
      .strictObject({ context_compression: z.enum(['auto', 'enabled', 'disabled']).nullish() })
      .nullish(),
    moderation: z.unknown().optional(),
    prompt: z.unknown().optional(),
  })
  .openapi('CreateResponse');

/** Body of `POST /v1/responses/input_tokens`. */
export const countSchema = z
  .strictObject({
    ...promptFields,
    personality: z.unknown().optional(),
  })
  .openapi('CountInputTokens');

export type CreateBody = z.infer<typeof createSchema>;
export type CountBody = z.infer<typeof countSchema>;
