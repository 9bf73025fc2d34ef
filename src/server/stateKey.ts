import { readFileSync } from 'node:fs';
import { failure } from '../core/errors.ts';
import { keyBytes } from '../files/seal.ts';

/** Reads the operator's key, as base64 with or without a line's end. @throws invalid_parameter naming what is wrong with it */
export function readStateKey(path: string): string {
  const refuse = (problem: string, options?: ErrorOptions) =>
    failure('invalid_parameter', { param: 'stateKeyFile', problem }, options);
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw refuse(`can't be read: ${(error as Error).message}`, { cause: error });
  }
  const { length } = Buffer.from(text, 'base64');
  if (length !== keyBytes) throw refuse(`must hold ${keyBytes} bytes as base64, got ${length} bytes`);
  return text;
}
