import { z } from '@hono/zod-openapi';
import { requestLimits } from '../../core/validateRequest.ts';
import { metadataSchema } from '../items/metadata.ts';
import { messageSchema } from './messageSchema.ts';
import { responseFormatSchema, toolChoiceSchema, toolsSchema } from './toolSchema.ts';

/** Labels mean nothing to a stateless request, but clients send them with every one. */
const maxLabelLength = 512;
const label = z.string().max(maxLabelLength).nullish();

/** What OpenAI's API has and this server hasn't; `refuseUnsupported` says so. */
const unsupportedFields = {
  audio: z.unknown().optional(),
  function_call: z.unknown().optional(),
  functions: z.unknown().optional(),
  modalities: z.array(z.string()).nullish(),
  moderation: z.unknown().optional(),
  prediction: z.unknown().optional(),
  web_search_options: z.unknown().optional(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  n: z.int().min(1).max(128).nullish(),
  store: z.boolean().nullish(),
  reasoning_effort: z.string().nullish(),
  verbosity: z.string().nullish(),
  service_tier: z.string().nullish(),
  prompt_cache_options: z
    .strictObject({ mode: z.enum(['implicit', 'explicit']).nullish(), ttl: z.string().nullish() })
    .nullish(),
  prompt_cache_retention: z.string().nullish(),
};

/** Not OpenAI's: sampling as engines for open models know it. */
const samplingExtensions = {
  top_k: z.int().min(0).max(1_000_000).nullish().openapi({ description: 'Extension. 0 keeps all tokens.' }),
  min_p: z.number().min(0).max(1).nullish().openapi({ description: 'Extension.' }),
  repeat_penalty: z.number().min(0.1).max(10).nullish().openapi({ description: 'Extension. 1 is off.' }),
};

/** Body of `POST /v1/chat/completions`. null is as good as leaving a field out. */
export const chatSchema = z
  .strictObject({
    messages: z.array(messageSchema).min(1),
    model: z.string().nullish().openapi({ description: 'Default: the model this server runs.' }),
    temperature: z.number().min(0).max(2).nullish().openapi({ description: 'Default 0: greedy.' }),
    top_p: z.number().gt(0).max(1).nullish(),
    max_completion_tokens: z.int().min(1).nullish(),
    max_tokens: z.int().min(1).nullish().openapi({ description: 'Older name of max_completion_tokens.' }),
    stop: z
      .union([z.string().min(1), z.array(z.string().min(1)).max(requestLimits.maxStopStrings)])
      .nullish(),
    seed: z.int().min(0).max(requestLimits.maxSeed).nullish(),
    logit_bias: z
      .record(z.string().regex(/^\d{1,9}$/, 'must be token ids'), z.number().min(-100).max(100))
      .nullish(),
    presence_penalty: z.number().min(-2).max(2).nullish(),
    frequency_penalty: z.number().min(-2).max(2).nullish(),
    response_format: responseFormatSchema.nullish(),
    tools: toolsSchema.nullish(),
    tool_choice: toolChoiceSchema.nullish(),
    parallel_tool_calls: z.boolean().nullish(),
    stream: z.boolean().nullish(),
    stream_options: z
      .strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
      .nullish(),
    metadata: metadataSchema.nullish(),
    user: label,
    safety_identifier: label,
    prompt_cache_key: label,
    ...samplingExtensions,
    ...unsupportedFields,
  })
  .openapi('CreateChatCompletion');

export type ChatBody = z.infer<typeof chatSchema>;
