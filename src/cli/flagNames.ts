import { AfterimageError } from '../core/errors.ts';

/** What requests and the engine's configuration call it, and what it is on the command line. */
export const flagNames: Readonly<Record<string, string>> = {
  temperature: '--temperature',
  topP: '--top-p',
  topK: '--top-k',
  minP: '--min-p',
  seed: '--seed',
  maxOutputTokens: '--max-tokens',
  stop: '--stop',
  threads: '--threads',
  kvCells: '--kv-cells',
  kvType: '--kv-type',
  featureType: '--feature-type',
};

/** The same error about the field as who typed it knows it. */
export function inFlags(error: AfterimageError): AfterimageError {
  const flag = flagNames[String(error.details.param)];
  if (flag === undefined) return error;
  return new AfterimageError(error.code, { ...error.details, param: flag }, { cause: error });
}
