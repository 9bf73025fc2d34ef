import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteTokenizer, byteTokenizerSize } from '../../../test/helpers/byteTokenizer.ts';
import { OutputText } from './outputText.ts';

function decode(tokens: readonly number[]): string {
  const bytes = Buffer.concat(tokens.map((token) => byteTokenizer.bytesOf(token)));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Pushes tokens until one stops the output. */
function run(tokens: readonly number[], stop: readonly string[]) {
  const output = new OutputText(byteTokenizer, stop);
  const deltas: string[] = [];
  let stopped = false;
  for (const token of tokens) {
    const pushed = output.push(token);
    deltas.push(pushed.delta);
    stopped = pushed.stopped;
    if (stopped) break;
  }
  deltas.push(output.finish({ atLimit: false }).delta);
  return { deltas, stopped, ...output.result() };
}

const encode = byteTokenizer.encodePlain;
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '\ufffd'), maxLength: 8 });
// Words of a few characters, tokens of half a character, control tokens without bytes.
const tokens = fc
  .array(fc.oneof(text.map(encode), fc.tuple(fc.nat(byteTokenizerSize - 1))), { maxLength: 8 })
  .map((parts) => parts.flat());
const stops = fc.array(
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '\ufffd'), minLength: 1, maxLength: 3 }),
  {
    maxLength: 4,
  },
);

test('deltas joined are the text, and the tokens decode to exactly it', () => {
  fc.assert(
    fc.property(tokens, stops, (pushed, stop) => {
      const { deltas, text, tokens } = run(pushed, stop);
      expect(deltas.join('')).toBe(text);
      expect(decode(tokens)).toBe(text);
      const whole = decode(pushed);
      expect(whole.startsWith(text)).toBe(true);
      expect(text === whole || stop.some((string) => whole.startsWith(string, text.length))).toBe(true);
      for (const string of stop) expect(text).not.toContain(string);
      if (stop.length === 0) expect({ text, tokens }).toEqual({ text: decode(pushed), tokens: pushed });
    }),
    { numRuns: 2000 },
  );
});

test('keeps the tokens before a stop that begins between two tokens', () => {
  const pushed = [...encode('ab'), 3, ...encode('cd')];
  expect(run(pushed, ['cd'])).toMatchObject({ text: 'ab', tokens: [...encode('ab'), 3], stopped: true });
});

test('tokenizes anew what a stop leaves of a token', () => {
  // "bb" is one token; the stop begins in its middle.
  expect(run([...encode('abb'), ...encode('c')], ['bc'])).toMatchObject({
    text: 'ab',
    tokens: [...encode('a'), ...encode('b')],
    stopped: true,
  });
});

test('goes back to a whole character', () => {
  const [first, second] = encode('é') as [number, number];
  const { text, tokens } = run([first, second, ...encode('x')], ['é']);
  expect({ text, tokens }).toEqual({ text: '', tokens: [] });
});

test('a character that is never finished is U+FFFD and keeps its tokens', () => {
  const cut = encode('a😀').slice(0, 3);
  expect(run(cut, [])).toEqual({
    deltas: ['a', '', '', '\ufffd'],
    text: 'a\ufffd',
    toolCalls: [],
    tokens: cut,
    stopped: false,
  });
});
