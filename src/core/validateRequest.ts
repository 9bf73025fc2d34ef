import { failure } from './errors.ts';
import type { ChatMessage, GenerateRequest, Sampling } from './request.ts';
import { type FunctionTool, isJsonObject } from './tools.ts';

export const requestLimits = {
  /** What an answer gets when the request names no limit and the context has more left. */
  defaultMaxOutputTokens: 1024,
  /** As in the OpenAI API, like the next one. */
  maxStopStrings: 4,
  maxTools: 128,
  /** One more is llama.cpp's word for a random one (LLAMA_DEFAULT_SEED). */
  maxSeed: 0xffff_fffe,
} as const;

export const defaultSampling: Sampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repeatPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: null,
  logitBias: {},
};

type NumericParameter = Exclude<keyof Sampling, 'logitBias' | 'seed'>;
const ranges: Readonly<Record<NumericParameter, readonly [min: number, max: number]>> = {
  temperature: [0, 2],
  topK: [0, 1_000_000],
  topP: [Number.MIN_VALUE, 1],
  minP: [0, 1],
  repeatPenalty: [0.1, 10],
  frequencyPenalty: [-2, 2],
  presencePenalty: [-2, 2],
};

/**
 * Checks everything about a request that needs no model and fills in defaults.
 * @throws invalid_parameter naming the field, the limit and the actual value.
 */
export function validateRequest(request: GenerateRequest): Sampling {
  if (request.messages.length === 0) reject('messages', 'at least one message is needed, got 0');
  if (request.tenant === '') reject('tenant', 'must not be empty');
  const { maxOutputTokens, stop = [] } = request;
  if (maxOutputTokens !== undefined && !(Number.isInteger(maxOutputTokens) && maxOutputTokens >= 1)) {
    reject('maxOutputTokens', `must be a whole number of at least 1, got ${maxOutputTokens}`);
  }
  if (stop.length > requestLimits.maxStopStrings) {
    reject('stop', `at most ${requestLimits.maxStopStrings} strings are allowed, got ${stop.length}`);
  }
  if (stop.some((text) => text.length === 0)) reject('stop', 'a stop string must not be empty');
  validateTools(request);
  validateCalls(request.messages);
  return validateSampling({ ...defaultSampling, ...request.sampling });
}

function validateTools({ tools = [], toolChoice = 'auto' }: GenerateRequest): void {
  const { maxTools } = requestLimits;
  if (tools.length > maxTools) reject('tools', `at most ${maxTools} are allowed, got ${tools.length}`);
  const names = new Set<string>();
  for (const [index, tool] of tools.entries()) {
    validateTool(tool, `tools[${index}]`);
    if (names.has(tool.name)) reject(`tools[${index}].name`, `there are two tools named ${tool.name}`);
    names.add(tool.name);
  }
  if (typeof toolChoice === 'object') {
    if (!names.has(toolChoice.name)) reject('toolChoice', `there is no tool named ${toolChoice.name}`);
  } else if (toolChoice === 'required' && tools.length === 0) {
    reject('toolChoice', 'required needs at least one tool, got 0');
  }
}

function validateTool({ name, parameters }: FunctionTool, path: string): void {
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
    reject(`${path}.name`, `must be 1 to 64 of a-z, A-Z, 0-9, _ and -, got ${JSON.stringify(name)}`);
  }
  if (typeof parameters !== 'object' || parameters.type === undefined || parameters.type === 'object') return;
  reject(`${path}.parameters.type`, `must be object, got ${JSON.stringify(parameters.type)}`);
}

/** Results follow the calls they are of; a call may stay without one, as when its client went away. */
function validateCalls(messages: readonly ChatMessage[]): void {
  let unanswered = 0;
  for (const [index, { role, toolCalls = [], tokens }] of messages.entries()) {
    const path = `messages[${index}]`;
    if (role === 'tool') {
      if (unanswered-- === 0) reject(path, 'a tool message has no call in front that it is the result of');
      continue;
    }
    unanswered = toolCalls.length;
    if (toolCalls.length > 0 && role !== 'assistant') {
      reject(`${path}.toolCalls`, `only an assistant message can have calls, this is of ${role}`);
    }
    // Tokens stand for the calls, which were checked when they were made.
    if (tokens) continue;
    for (const [call, { name, arguments: given }] of toolCalls.entries()) {
      validateTool({ name }, `${path}.toolCalls[${call}]`);
      if (!isJsonObject(given)) reject(`${path}.toolCalls[${call}].arguments`, 'must be a JSON object');
    }
  }
}

function validateSampling(sampling: Sampling): Sampling {
  for (const [name, [min, max]] of Object.entries(ranges) as [
    NumericParameter,
    readonly [number, number],
  ][]) {
    const value = sampling[name];
    if (!(value >= min && value <= max)) {
      const low = min === Number.MIN_VALUE ? 'above 0' : `from ${min}`;
      reject(name, `must be ${low} to ${max}, got ${value}`);
    }
  }
  if (!Number.isInteger(sampling.topK)) reject('topK', `must be a whole number, got ${sampling.topK}`);
  const { seed } = sampling;
  if (seed !== null && !(Number.isInteger(seed) && seed >= 0 && seed <= requestLimits.maxSeed)) {
    reject('seed', `must be a whole number from 0 to ${requestLimits.maxSeed}, got ${seed}`);
  }
  for (const [token, bias] of Object.entries(sampling.logitBias)) {
    if (!/^\d+$/.test(token)) reject(`logitBias.${token}`, 'is not a token id');
    if (!(bias >= -100 && bias <= 100)) reject(`logitBias.${token}`, `must be -100 to 100, got ${bias}`);
  }
  return sampling;
}

function reject(param: string, problem: string): never {
  throw failure('invalid_parameter', { param, problem });
}
