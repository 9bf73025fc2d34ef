import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SpecialSpellings } from './specialSpellings.ts';

// Overlapping, nested, with a first character outside the BMP, and of one character.
const specials = new Map(['<a>', '<a>b', 'aa', '😀x', '>', '.*'].map((spelling, id) => [spelling, id]));
const spellings = new SpecialSpellings(specials);
const text = fc.string({ unit: fc.constantFrom('<', 'a', '>', 'b', '😀', 'x', '.', '*'), maxLength: 20 });

test('pieces joined are the text, and none spells a special token of several characters', () => {
  fc.assert(
    fc.property(text, (value) => {
      const pieces = spellings.cutApart(value);
      expect(pieces.join('')).toBe(value);
      for (const piece of pieces) {
        expect(piece.isWellFormed()).toBe(true);
        for (const spelling of specials.keys()) {
          if (spelling !== '>') expect(piece).not.toContain(spelling);
        }
      }
    }),
  );
});

test('cuts spellings that overlap', () => {
  expect(spellings.cutApart('aaa<a>b')).toEqual(['a', 'a', 'a<', 'a>b']);
});

test('parsing finds the longest spelling at each place', () => {
  expect(spellings.parse('x<a>b<a>aaa.')).toEqual(['x', 1, 0, 2, 'a.']);
  expect(spellings.parse('')).toEqual([]);
});

test('without special tokens text stays whole', () => {
  const none = new SpecialSpellings(new Map());
  expect(none.parse('<a>')).toEqual(['<a>']);
  expect(none.cutApart('<a>')).toEqual(['<a>']);
});
