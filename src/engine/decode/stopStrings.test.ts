import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StopStrings } from './stopStrings.ts';

/** The first place where a stop string ends, cut where the longest one that ends there begins. */
function naive(text: string, stop: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stop
      .filter((string) => text.slice(0, end).endsWith(string))
      .map((string) => string.length);
    if (ending.length > 0) return { text: text.slice(0, end - Math.max(...ending)), stopped: true };
  }
  return { text, stopped: false };
}

/** Whether more text could make a stop string of what the text ends with, so long that it has `held` units already. */
function couldStop(text: string, held: number, stop: readonly string[]): boolean {
  const ending = text.slice(text.length - held);
  return stop.some((string) => string.length > held && string.startsWith(ending));
}

const letters = (maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('a', 'b', '😀', '😁'), minLength, maxLength });
const stops = fc.array(letters(4, 1), { maxLength: 4 });

test('cuts as if all text were there, and holds back no more than needed', () => {
  fc.assert(
    fc.property(fc.array(letters(4), { maxLength: 10 }), stops, (pieces, stop) => {
      const stream = new StopStrings(stop);
      let seen = '';
      let out = '';
      let stopped = false;
      for (const piece of pieces) {
        seen += piece;
        const pushed = stream.push(piece);
        out += pushed.text;
        stopped = pushed.stopped;
        expect(pushed.text.isWellFormed()).toBe(true);
        if (stopped) break;
        const held = seen.length - out.length;
        expect(held === 0 || couldStop(seen, held, stop)).toBe(true);
      }
      if (!stopped) out += stream.flush();
      expect({ text: out, stopped }).toEqual(naive(pieces.join(''), stop));
    }),
    { numRuns: 2000 },
  );
});

test('a stop string that is complete wins over one that began before it', () => {
  expect(new StopStrings(['abcd', 'bc']).push('xabcd')).toEqual({ text: 'xa', stopped: true });
});

test('of two that end together the one that began first wins', () => {
  expect(new StopStrings(['c', 'abc']).push('xabc')).toEqual({ text: 'x', stopped: true });
});

test('follows a repeated beginning', () => {
  const stop = new StopStrings(['aab']);
  expect(stop.push('aaa')).toEqual({ text: 'a', stopped: false });
  expect(stop.push('b')).toEqual({ text: '', stopped: true });
});

test.each(['', '\ud83d'])('refuses %j as a stop string', (text) => {
  expect(() => new StopStrings(['ok', text])).toThrow(expect.objectContaining({ code: 'invalid_parameter' }));
});

test('text behind a stop string is a bug', () => {
  const stop = new StopStrings(['a']);
  stop.push('a');
  expect(() => stop.push('b')).toThrow('behind a stop string');
});
