import { z } from '@hono/zod-openapi';
import { callArguments, functionName } from './functionFields.ts';
import { oneOfTypes } from './oneOfTypes.ts';

/**
 * `input` of the Responses API and `items` of the Conversations API. Fields that clients echo back from earlier replies (ids,
 * status, phase, annotations, log probabilities) are taken and not kept: a kept item gets its own.
 */

const echoed = {
  id: z.string().nullish(),
  status: z.enum(['in_progress', 'completed', 'incomplete']).nullish(),
};

/** Every prompt is kept reusable at item and picture borders, so a breakpoint asks for what happens anyway. */
const breakpoint = z
  .strictObject({ mode: z.literal('explicit'), ttl: z.enum(['30m', '12h']).optional() })
  .nullish();

const inputText = z.strictObject({
  type: z.literal('input_text'),
  text: z.string(),
  prompt_cache_breakpoint: breakpoint,
});

const inputImage = z
  .strictObject({
    type: z.literal('input_image'),
    detail: z.enum(['auto', 'low', 'high', 'original']).nullish(),
    /** A data URL with base64, an http(s) URL where the server fetches pictures, or what `image_url` of a kept item says. */
    image_url: z.string().min(1, 'must not be empty').nullish(),
    file_id: z.string().min(1, 'must not be empty').nullish(),
    prompt_cache_breakpoint: breakpoint,
  })
  .superRefine(({ image_url, file_id }, ctx) => {
    const given = [image_url, file_id].filter((source) => source !== null && source !== undefined).length;
    if (given === 1) return;
    const message = `needs either image_url or file_id, got ${given === 0 ? 'neither' : 'both'}`;
    ctx.addIssue({ code: 'custom', message });
  });

const outputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()).nullish(),
  logprobs: z.array(z.unknown()).nullish(),
  prompt_cache_breakpoint: breakpoint,
});

const refusal = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

const messagePart = oneOfTypes(z.discriminatedUnion('type', [inputText, inputImage, outputText, refusal]), [
  'input_text',
  'input_image',
  'output_text',
  'refusal',
]);

const outputPart = oneOfTypes(z.discriminatedUnion('type', [inputText, inputImage]), [
  'input_text',
  'input_image',
]);

const message = z
  .strictObject({
    type: z.literal('message'),
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: z.union([z.string(), z.array(messagePart)]),
    phase: z.enum(['commentary', 'final_answer']).nullish(),
    ...echoed,
  })
  .superRefine(({ role, content }, ctx) => {
    if (typeof content === 'string') return;
    for (const [index, { type }] of content.entries()) {
      const belongs =
        type === 'input_text' || (type === 'input_image' ? role === 'user' : role === 'assistant');
      if (belongs) continue;
      const wanted = type === 'input_image' ? 'user' : 'assistant';
      const text = `${type} belongs in messages of role ${wanted}, this one is of role ${role}`;
      ctx.addIssue({ code: 'custom', path: ['content', index, 'type'], message: text });
    }
  });

const callId = z.string().min(1).max(128);

const functionCall = z.strictObject({
  type: z.literal('function_call'),
  call_id: callId,
  name: functionName,
  arguments: callArguments,
  ...echoed,
});

const functionCallOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: callId,
  output: z.union([z.string(), z.array(outputPart)]),
  ...echoed,
});

const reasoning = z
  .strictObject({
    type: z.literal('reasoning'),
    summary: z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() })),
    content: z.array(z.strictObject({ type: z.literal('reasoning_text'), text: z.string() })).nullish(),
    encrypted_content: z.string().nullish(),
    ...echoed,
  })
  .superRefine(({ encrypted_content }, ctx) => {
    if (encrypted_content === null || encrypted_content === undefined) return;
    const problem = 'this server makes none and could not read it';
    ctx.addIssue({
      code: 'custom',
      path: ['encrypted_content'],
      message: problem,
      params: { unsupported: true },
    });
  });

const itemReference = z.strictObject({ type: z.literal('item_reference'), id: z.string() });

const item = oneOfTypes(
  z.discriminatedUnion('type', [message, functionCall, functionCallOutput, reasoning, itemReference]),
  ['message', 'function_call', 'function_call_output', 'reasoning', 'item_reference'],
  // Clients leave the type out of messages and references.
  (fields) =>
    'role' in fields ? 'message' : Object.keys(fields).join() === 'id' ? 'item_reference' : undefined,
);

export const itemListSchema = z.array(item);

/** A string is one message of the user. */
export const inputSchema = z.union([z.string(), itemListSchema]);

export type WireInput = z.output<typeof inputSchema>;
export type WireItem = z.output<typeof itemListSchema>[number];
export type WirePart =
  | Exclude<Extract<WireItem, { type: 'message' }>['content'], string>[number]
  | Exclude<Extract<WireItem, { type: 'function_call_output' }>['output'], string>[number];
