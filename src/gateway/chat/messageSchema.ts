import { z } from '@hono/zod-openapi';
import { callArguments, functionName } from '../items/functionFields.ts';
import { oneOfTypes } from '../items/oneOfTypes.ts';

/** State is reused wherever prompts begin alike, so a breakpoint asks for what happens anyway. */
const breakpoint = z
  .strictObject({ mode: z.literal('explicit'), ttl: z.enum(['30m', '12h']).nullish() })
  .nullish();

const textPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  prompt_cache_breakpoint: breakpoint,
});

const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({
    url: z
      .string()
      .min(1)
      .openapi({ description: 'A data URL, a URL, or (extension) the id of an uploaded file.' }),
    detail: z.enum(['auto', 'low', 'high', 'original']).nullish(),
  }),
  prompt_cache_breakpoint: breakpoint,
});

const refusalPart = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

const textContent = z.union([
  z.string(),
  z.array(oneOfTypes(z.discriminatedUnion('type', [textPart]), ['text'])).min(1),
]);
const seenContent = z.union([
  z.string(),
  z.array(oneOfTypes(z.discriminatedUnion('type', [textPart, imagePart]), ['text', 'image_url'])).min(1),
]);
const saidContent = z.union([
  z.string(),
  z.array(oneOfTypes(z.discriminatedUnion('type', [textPart, refusalPart]), ['text', 'refusal'])).min(1),
]);

const callId = z.string().min(1).max(128);

const functionCall = z.strictObject({
  type: z.literal('function'),
  id: callId,
  function: z.strictObject({
    name: functionName,
    arguments: callArguments,
  }),
  index: z
    .int()
    .min(0)
    .nullish()
    .openapi({ description: 'Chunks number their calls, and clients that join them send the number back.' }),
});

const toolCall = oneOfTypes(z.discriminatedUnion('type', [functionCall]), ['function'], (fields) =>
  'function' in fields ? 'function' : undefined,
);

/** Taken, so that `refuseUnsupported` can say why it isn't wanted. */
const name = z.string().nullish();

export const messageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: textContent, name }),
  z.strictObject({ role: z.literal('developer'), content: textContent, name }),
  z.strictObject({ role: z.literal('user'), content: seenContent, name }),
  z.strictObject({
    role: z.literal('assistant'),
    content: saidContent.nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(toolCall).nullish(),
    name,
    annotations: z.array(z.unknown()).nullish(),
    audio: z.unknown().optional(),
    function_call: z.unknown().optional(),
  }),
  z.strictObject({ role: z.literal('tool'), tool_call_id: callId, content: seenContent }),
]);

export type ChatMessageBody = z.output<typeof messageSchema>;
export type AssistantBody = Extract<ChatMessageBody, { role: 'assistant' }>;
export type ChatPart = z.output<typeof textPart> | z.output<typeof imagePart> | z.output<typeof refusalPart>;
