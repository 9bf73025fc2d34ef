import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonDepth, parseJson } from './json.ts';

function depthOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('the depth is that of the value, whatever its strings hold', () => {
  const tricky = fc.string({ unit: fc.constantFrom('"', '\\', '[', '{', ']', 'a', '\n') });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 6 }, tricky, fc.array(tie('value')), fc.dictionary(tricky, tie('value'))),
  }));
  fc.assert(
    fc.property(value, (json) => {
      expect(jsonDepth(Buffer.from(JSON.stringify(json)))).toBe(depthOf(json));
    }),
    { numRuns: 2_000 },
  );
});

test('a body is refused for its depth before it is built', () => {
  const bytes = Buffer.from('['.repeat(5_000_000));
  expect(() => parseJson(bytes, 32)).toThrow('body: may be nested at most 32 deep, is 5000000.');
  expect(parseJson(Buffer.from('[[1]]'), 2)).toEqual([[1]]);
});

test('runs of escapes take no more than one pass', () => {
  const bytes = Buffer.from(`"${'\\\\'.repeat(1_000_000)}${'\\"'.repeat(1_000_000)}`);
  expect(jsonDepth(bytes)).toBe(0);
});

test.each([
  ['', 'The body is not JSON: it is empty.'],
  [' \n', 'The body is not JSON: it is empty.'],
  ['{"a":', 'The body is not JSON: it ends too early, at character 5.'],
  ['{"a" 1}', 'The body is not JSON: there is a mistake at character 5.'],
  ['nope', 'The body is not JSON: there is a mistake in it.'],
])('%j is refused in our own words', (text, message) => {
  expect(() => parseJson(Buffer.from(text), 32)).toThrow(message);
});

test('what is not UTF-8 is refused', () => {
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), 32)).toThrow(
    'The body is not JSON: it is not UTF-8.',
  );
});

test.each(['{"__proto__": 1}', '{"a": [{"\\u005f_proto__": {}}]}'])(
  '%s is refused: schemas would not see it',
  (text) => {
    expect(() => parseJson(Buffer.from(text), 32)).toThrow(
      expect.objectContaining({ code: 'unknown_parameter', details: { param: '__proto__' } }),
    );
  },
);

test('as a value it is text like any other', () => {
  expect(parseJson(Buffer.from('{"a": "__proto__", "b": "\\u005f"}'), 32)).toEqual({
    a: '__proto__',
    b: '_',
  });
});
