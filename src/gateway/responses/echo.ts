import { defaultSampling } from '../../core/validateRequest.ts';
import type { CreateBody } from './requestSchema.ts';

/** What a reply repeats of its request where the request says nothing. */
export const echoDefaults = {
  tools: [],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  text: { format: { type: 'text' }, verbosity: 'medium' },
  truncation: 'disabled',
  reasoning: null,
  max_output_tokens: null,
  max_tool_calls: null,
  temperature: defaultSampling.temperature,
  top_p: defaultSampling.topP,
  presence_penalty: defaultSampling.presencePenalty,
  frequency_penalty: defaultSampling.frequencyPenalty,
  top_logprobs: 0,
  store: true,
  service_tier: 'default',
  prompt_cache_key: null,
  prompt_cache_options: { mode: 'implicit', ttl: '30m' },
  safety_identifier: null,
  user: null,
} as const satisfies Partial<Record<keyof CreateBody, unknown>>;

/** What is repeated only when it was given: a field of old, and extensions. */
const repeatedWhenGiven = [
  'prompt_cache_retention',
  'top_k',
  'min_p',
  'repeat_penalty',
  'seed',
  'stop',
  'idle_ttl_ms',
] as const;

/**
 * The part of a request that its reply repeats. Every response keeps its own, and a session's record is to stay small, so what
 * `echoDefaults` says anyway is left out.
 */
export function echoOf(body: CreateBody, model: string): Record<string, unknown> {
  const told: Record<string, unknown> = {
    ...pick(body, Object.keys(echoDefaults) as (keyof typeof echoDefaults)[]),
    ...pick(body, repeatedWhenGiven),
    tools: body.tools?.map(({ name, description, parameters, strict }) => ({
      type: 'function',
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? false,
    })),
    text: body.text && { ...echoDefaults.text, ...withoutNulls(body.text) },
    // The one tier there is, and the one way of not reasoning: whatever was asked for, that is what is had.
    service_tier: undefined,
    reasoning: undefined,
    prompt_cache_options: body.prompt_cache_options && {
      ...echoDefaults.prompt_cache_options,
      ...withoutNulls(body.prompt_cache_options),
    },
  };
  const kept = Object.entries(told).filter(
    ([name, value]) =>
      value !== undefined &&
      value !== null &&
      JSON.stringify(value) !== JSON.stringify((echoDefaults as Record<string, unknown>)[name]),
  );
  return { model, ...Object.fromEntries(kept) };
}

function pick(from: CreateBody, names: readonly (keyof CreateBody)[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner != null));
}
