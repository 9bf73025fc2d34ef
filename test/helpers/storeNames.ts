import { randomUUID } from 'node:crypto';

/** Names that separators, globs, path rules, folding or C strings would mix up; no two are the same to a store. */
export const nastyNames: readonly string[] = [
  'a',
  'A',
  'a ',
  ' a',
  'a/b',
  'a/../b',
  '../../etc/passwd',
  '/',
  '.',
  '..',
  'a\\b',
  'a\0',
  'a\0b',
  '\0',
  'a:b',
  'a|b',
  'a*',
  'a?',
  '[a]',
  '%00',
  '%2F',
  'a\nb',
  'a\r\nb',
  "a'; DROP TABLE records; --",
  'CON',
  'é',
  'e\u0301',
  '\u{10ffff}',
  '\uffff',
  '😀',
  'ß',
  'ss',
  'ı',
  'İ',
  '\u202ea',
  'x'.repeat(5000),
  `${'x'.repeat(4999)}y`,
  '長'.repeat(400),
];

/** Pairs a store that just joins names would take for one. */
export const splitNames: readonly (readonly [string, string])[] = [
  ['a', 'bc'],
  ['ab', 'c'],
  ['abc', ''],
  ['a/b', 'c'],
  ['a', 'b/c'],
  ['a:b', 'c'],
  ['a', 'b:c'],
  ['a\0b', 'c'],
  ['a', 'b\0c'],
];

/** A name nobody has used in this store. */
export function freshName(): string {
  return `n${randomUUID()}`;
}

/** The order of `list`. */
export function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
