import { failure } from '../../../core/errors.ts';

export const grammarLimits = {
  /** llama.cpp's own bound for one repetition (`MAX_REPETITION_THRESHOLD`). */
  maxRepetition: 2000,
  /** All repetitions together; each is that many native rules. */
  maxRepetitions: 20_000,
  maxGrammarChars: 500_000,
} as const;

/** An expression of GBNF: a sequence of symbols. Where it is repeated or put beside `|` it must be a single symbol. */
export type Gbnf = string;

export const nothing: Gbnf = '""';

/** Exactly this text. */
export function literal(text: string): Gbnf {
  let escaped = '';
  for (const character of text) escaped += escapeCharacter(character.codePointAt(0) as number);
  return `"${escaped}"`;
}

/** One code point of the given ranges, both ends included. */
export function oneOf(ranges: readonly (readonly [from: number, to: number])[]): Gbnf {
  const parts = ranges.map(([from, to]) =>
    from === to ? escapeCharacter(from) : `${escapeCharacter(from)}-${escapeCharacter(to)}`,
  );
  return `[${parts.join('')}]`;
}

/** Letters and digits stand for themselves, all else by its code: nothing can be mistaken for syntax. */
function escapeCharacter(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  if (/^[A-Za-z0-9 ]$/.test(character)) return character;
  const hex = codePoint.toString(16);
  if (codePoint <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return codePoint <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/**
 * Collects the rules of one grammar in llama.cpp's notation (GBNF, `grammars/README.md` of llama.cpp). Equal bodies share
 * a rule.
 */
export class GrammarRules {
  readonly #param: string;
  readonly #bodies = new Map<string, Gbnf>();
  readonly #names = new Map<Gbnf, string>();
  #reserved = 0;
  #repetitions = 0;
  #chars = 0;

  /** @param param what a grammar that becomes too large is blamed on */
  constructor(param: string) {
    this.#param = param;
  }

  /** @returns the name of a rule with this body. @throws unsupported_parameter when the grammar becomes too large */
  add(body: Gbnf): string {
    const known = this.#names.get(body);
    if (known) return known;
    const name = this.reserve();
    this.#names.set(body, name);
    this.define(name, body);
    return name;
  }

  /** A name for a rule that refers to itself; `define` must follow. */
  reserve(): string {
    return `r${this.#reserved++}`;
  }

  define(name: string, body: Gbnf): void {
    this.#bodies.set(name, body);
    this.#chars += body.length;
    this.#checkSize('characters of grammar', this.#chars, grammarLimits.maxGrammarChars);
  }

  /** @returns the one symbol itself, or a rule that is one of them. */
  choice(alternatives: readonly Gbnf[]): Gbnf {
    const distinct = [...new Set(alternatives)];
    return distinct.length === 1 ? (distinct[0] as Gbnf) : this.add(distinct.join(' | '));
  }

  /** `symbol` from `min` to `max` times, at most `maxRepetition`; without `max` any number of times. */
  repeat(symbol: Gbnf, min: number, max: number | undefined): Gbnf {
    this.#repetitions += max ?? min;
    this.#checkSize('repetitions', this.#repetitions, grammarLimits.maxRepetitions);
    if (max === 0) return nothing;
    if (min === 1 && max === 1) return symbol;
    return `${symbol}{${min},${max ?? ''}}`;
  }

  text(root: Gbnf): string {
    const lines = [...this.#bodies].map(([name, body]) => `${name} ::= ${body}`);
    return [`root ::= ${root}`, ...lines, ''].join('\n');
  }

  #checkSize(what: string, actual: number, limit: number): void {
    if (actual <= limit) return;
    throw failure('unsupported_parameter', {
      param: this.#param,
      problem: `it needs ${actual} ${what}, the limit is ${limit}`,
    });
  }
}
