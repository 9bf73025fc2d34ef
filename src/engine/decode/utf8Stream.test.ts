import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Utf8Stream } from './utf8Stream.ts';

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

test('whatever the pieces, the text is that of all bytes', () => {
  // Mostly bytes of real characters, with strays between.
  const part = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 4 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 3 }),
  );
  fc.assert(
    fc.property(
      fc.array(part),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
      (parts, sizes) => {
        const bytes = Buffer.concat(parts);
        const stream = new Utf8Stream();
        let text = '';
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const end = start + (sizes[turn % sizes.length] as number);
          const piece = stream.push(bytes.subarray(start, end));
          expect(piece.isWellFormed()).toBe(true);
          text += piece;
          start = end;
        }
        expect(text + stream.flush()).toBe(decode(bytes));
      },
    ),
  );
});

test('a character comes out with its last byte', () => {
  const stream = new Utf8Stream();
  const pieces = [...Buffer.from('é😀')].map((byte) => stream.push(Uint8Array.of(byte)));
  expect(pieces).toEqual(['', 'é', '', '', '', '😀']);
  expect(stream.flush()).toBe('');
});

test('a byte order mark is text', () => {
  const stream = new Utf8Stream();
  expect(stream.push(Buffer.from('\ufeffa'))).toBe('\ufeffa');
});

test('a character that is cut off is U+FFFD', () => {
  const stream = new Utf8Stream();
  expect(stream.push(Buffer.from('a😀').subarray(0, 4))).toBe('a');
  expect(stream.flush()).toBe('\ufffd');
  expect(stream.push(Buffer.from('b'))).toBe('b');
});
