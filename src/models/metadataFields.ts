import { failure } from '../core/errors.ts';
import type { GgufHeader } from './ggufHeader.ts';
import { printable } from './printable.ts';

/** What is wrong with one field of a file, as the error model_metadata_invalid. */
export function invalidField(header: GgufHeader, field: string, problem: string): Error {
  return failure('model_metadata_invalid', { path: header.path, field, problem });
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

function present(header: GgufHeader, key: string) {
  const value = header.metadata.get(key);
  if (value === undefined) throw invalidField(header, key, 'missing');
  return value;
}

function inRange(header: GgufHeader, key: string, value: unknown, { min, max }: Range): number {
  if (typeof value !== 'number' || !(value >= min && value <= max)) {
    throw invalidField(
      header,
      key,
      `${printable(String(value))}, a number from ${min} to ${max} is expected`,
    );
  }
  return value;
}

/** Each reader throws model_metadata_invalid naming the key when it is missing, of another type or out of range. */
export function integerField(header: GgufHeader, key: string, range: Range): number {
  const value = inRange(header, key, present(header, key), range);
  if (!Number.isInteger(value)) throw invalidField(header, key, `${value}, not a whole number`);
  return value;
}

export function floatField(header: GgufHeader, key: string, range: Range): number {
  return inRange(header, key, present(header, key), range);
}

export function floatListField(header: GgufHeader, key: string, length: number, range: Range): number[] {
  const value = present(header, key);
  if (!Array.isArray(value) || value.length !== length) {
    throw invalidField(header, key, `not a list of ${length} numbers`);
  }
  return value.map((item) => inRange(header, key, item, range));
}

export function textField(header: GgufHeader, key: string): string {
  const value = present(header, key);
  if (typeof value !== 'string' || value === '') throw invalidField(header, key, 'not a text, or empty');
  return value;
}
