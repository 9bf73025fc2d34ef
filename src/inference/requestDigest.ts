import { createHash } from 'node:crypto';
import type { ChatMessage, GenerateRequest } from '../core/request.ts';
import { defaultSampling } from '../core/validateRequest.ts';

/**
 * SHA-256 (hex) over everything that decides what the engine does for a request: tenant, messages with image digests and
 * sizes, sampling, limits, tools, format. Equal requests have equal digests, whatever the order of their fields and whether defaults
 * are spelled out.
 */
export function requestDigest(request: GenerateRequest): string {
  const { tenant, messages, maxOutputTokens = null, stop = [] } = request;
  const { tools = [], parallelToolCalls = true, format = null } = request;
  const { toolChoice = tools.length > 0 ? 'auto' : 'none' } = request;
  const sampling = { ...defaultSampling, ...request.sampling };
  const content = [
    tenant,
    messages.map(canonicalMessage),
    [
      sampling.temperature,
      sampling.topK,
      sampling.topP,
      sampling.minP,
      sampling.repeatPenalty,
      sampling.frequencyPenalty,
      sampling.presencePenalty,
      sampling.seed,
      // Integer keys of an object are always in ascending order.
      Object.entries(sampling.logitBias),
    ],
    maxOutputTokens,
    stop,
    tools.map(({ name, description = null, parameters = null, strict = false }) => [
      name,
      description,
      // The order of properties counts: arguments come in it.
      parameters,
      strict,
    ]),
    toolChoice,
    parallelToolCalls,
    format && [format.type, format.type === 'json_schema' ? format.schema : null],
  ];
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}

/** A message as plain arrays: role, content with image digests and sizes, calls, committed token ids. */
export function canonicalMessage({ role, content, toolCalls = [], tokens }: ChatMessage): unknown {
  return [
    role,
    content.map((part) =>
      part.type === 'text'
        ? ['text', part.text]
        : ['image', part.image.digest, part.image.width, part.image.height],
    ),
    toolCalls.map((call) => [call.name, call.arguments]),
    tokens ?? null,
  ];
}
