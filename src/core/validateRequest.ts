import { failure } from './errors.ts';
import type { GenerateRequest, Sampling } from './request.ts';

export const requestLimits = {
  /** What an answer gets when the request names no limit and the context has more left. */
  defaultMaxOutputTokens: 1024,
  /** As in the OpenAI API. */
  maxStopStrings: 4,
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
  return validateSampling({ ...defaultSampling, ...request.sampling });
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
  if (seed !== null && !(Number.isInteger(seed) && seed >= 0 && seed <= 0xffff_ffff)) {
    reject('seed', `must be a whole number from 0 to ${0xffff_ffff}, got ${seed}`);
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
