import { z } from '@hono/zod-openapi';

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

/** What `refusalOf` recognises a missing field by. */
export const isMissing = 'is missing';

/** At most this much of a text is repeated in a message. */
const shownCharacters = 40;

/**
 * Our words for what a schema refuses, with limit and actual value; a schema's own message comes before them.
 * zod keeps its wording for the whole process, under the name of a language.
 */
export function useOurWording(): void {
  z.config({ localeError: wordingOf });
}

/** The rest of a sentence that begins with the field's name, without its full stop. */
export function wordingOf(issue: RawIssue): string {
  const { input } = issue;
  switch (issue.code) {
    case 'invalid_type':
      return input === undefined ? isMissing : `must be ${typeName(issue.expected)}, got ${shown(input)}`;
    case 'invalid_value':
      return input === undefined ? isMissing : `must be ${choice(issue.values)}, got ${shown(input)}`;
    case 'too_big':
      return `${boundary('at most', 'less than', issue, issue.maximum)}, got ${measured(issue.origin, input)}`;
    case 'too_small':
      return `${boundary('at least', 'more than', issue, issue.minimum)}, got ${measured(issue.origin, input)}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}, got ${shown(input)}`;
    case 'invalid_format':
      return `has the wrong form, got ${shown(input)}`;
    case 'invalid_union': {
      const { options, discriminator } = issue as { options?: unknown; discriminator?: string };
      if (!Array.isArray(options) || discriminator === undefined)
        return `has the wrong form, got ${shown(input)}`;
      const actual = (input as Record<string, unknown>)[discriminator];
      return actual === undefined ? isMissing : `must be ${choice(options)}, got ${shown(actual)}`;
    }
    case 'unrecognized_keys':
      return `has unknown fields: ${issue.keys.map((key) => shown(key)).join(', ')}`;
    default:
      return `has the wrong form, got ${shown(input)}`;
  }
}

/** `'a'`, or `'a' or 'b'`, or `'a', 'b' or 'c'`. */
export function choice(values: readonly unknown[]): string {
  return listed(values.map((value) => shown(value)));
}

export function listed(words: readonly string[]): string {
  const distinct = [...new Set(words)];
  if (distinct.length < 2) return distinct.join('');
  return `${distinct.slice(0, -1).join(', ')} or ${distinct.at(-1)}`;
}

/** The value, when it is short and no secret can hide in it; else what kind of value it is. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const cut = value.length > shownCharacters;
    const text = cut ? value.slice(0, shownCharacters) : value;
    return cut ? `'${text}...' (${value.length} characters)` : `'${text}'`;
  }
  if (Array.isArray(value)) return 'an array';
  if (value instanceof File) return 'a file';
  if (value !== null && typeof value === 'object') return 'an object';
  return String(value);
}

function typeName(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: 'a string',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'an array',
    object: 'an object',
    record: 'an object',
    null: 'null',
    file: 'a file',
  };
  return names[expected] ?? expected;
}

interface Bound {
  readonly origin: string;
  readonly inclusive?: boolean | undefined;
  readonly exact?: boolean | undefined;
}

function boundary(
  inclusive: string,
  exclusive: string,
  { origin, exact, ...bound }: Bound,
  limit: number | bigint | unknown,
): string {
  const size = unitOf(origin);
  const words = exact ? 'exactly' : bound.inclusive ? inclusive : exclusive;
  return size === undefined ? `must be ${words} ${limit}` : `must have ${words} ${limit} ${size}`;
}

function measured(origin: string, input: unknown): string {
  if (unitOf(origin) === undefined) return shown(input);
  if (typeof input === 'string' || Array.isArray(input)) return String(input.length);
  if (input instanceof Blob) return String(input.size);
  return shown(input);
}

function unitOf(origin: string): string | undefined {
  return origin === 'string'
    ? 'characters'
    : origin === 'array'
      ? 'entries'
      : origin === 'file'
        ? 'bytes'
        : undefined;
}
