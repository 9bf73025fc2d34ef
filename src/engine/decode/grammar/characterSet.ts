import { type Gbnf, type GrammarRules, literal, oneOf } from './rules.ts';

/** Code points as ranges, both ends included, sorted and apart. */
export type CharacterSet = readonly (readonly [from: number, to: number])[];

/** Every Unicode character; surrogates are none. */
export const anyCharacter: CharacterSet = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

export function union(...sets: readonly CharacterSet[]): CharacterSet {
  const sorted = sets.flat().sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** What of `set` is not in `taken`. */
export function without(set: CharacterSet, taken: CharacterSet): CharacterSet {
  const left: [number, number][] = [];
  for (const [from, to] of set) {
    let start = from;
    for (const [takenFrom, takenTo] of union(taken)) {
      if (takenTo < start || takenFrom > to) continue;
      if (takenFrom > start) left.push([start, takenFrom - 1]);
      start = takenTo + 1;
    }
    if (start <= to) left.push([start, to]);
  }
  return left;
}

export function intersection(a: CharacterSet, b: CharacterSet): CharacterSet {
  return without(a, without(anyCharacter, b));
}

export function just(characters: string): CharacterSet {
  return union(
    [...characters].map((character) => {
      const codePoint = character.codePointAt(0) as number;
      return [codePoint, codePoint] as const;
    }),
  );
}

/** Must be escaped in a JSON string (RFC 8259, section 7). */
const escaped = union([[0, 0x1f]], just('"\\'));

/** One symbol for a character of the set inside a JSON string; undefined for an empty set. */
export function inJsonString(set: CharacterSet, rules: GrammarRules): Gbnf | undefined {
  const plain = without(intersection(set, anyCharacter), escaped);
  const alternatives = plain.length > 0 ? [oneOf(plain)] : [];
  for (const [from, to] of intersection(set, escaped)) {
    for (let codePoint = from; codePoint <= to; codePoint++) {
      alternatives.push(literal(JSON.stringify(String.fromCodePoint(codePoint)).slice(1, -1)));
    }
  }
  return alternatives.length > 0 ? rules.choice(alternatives) : undefined;
}
