import { type Gbnf, type GrammarRules, literal, nothing, oneOf } from './rules.ts';

const hex = '[0-9a-fA-F]';
/**
 * A character of a JSON string, one code point each (RFC 8259, section 7). Surrogates can't be escaped: half a pair would
 * be no character, a whole one two.
 */
const plainCharacter = oneOf([
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, 0x7e],
  [0xa0, 0xd7ff],
  [0xe000, 0x10ffff],
]);
const character = `${plainCharacter} | "\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cA-Ce-fE-F] ${hex}{3} | [dD] [0-7] ${hex}{2}))`;

/** The rules for JSON text that schemas refer to. White space is bounded: a model can't go on with it for ever. */
export class JsonRules {
  readonly #rules: GrammarRules;
  #anyValue: string | undefined;

  constructor(rules: GrammarRules) {
    this.#rules = rules;
  }

  get space(): Gbnf {
    return this.#rules.add('" " | "\\n" [ \\t]{0,20} | ""');
  }

  get character(): Gbnf {
    return this.#rules.add(character);
  }

  get string(): Gbnf {
    return this.#rules.add(`"\\"" ${this.character}* "\\""`);
  }

  /** Small enough that every such number is exact, or at least finite, in JavaScript. */
  get integer(): Gbnf {
    return this.#rules.add('"0" | "-"? [1-9] [0-9]{0,14}');
  }

  get number(): Gbnf {
    return this.#rules.add('"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?');
  }

  get boolean(): Gbnf {
    return this.#rules.add('"true" | "false"');
  }

  get null(): Gbnf {
    return literal('null');
  }

  get value(): Gbnf {
    if (this.#anyValue) return this.#anyValue;
    this.#anyValue = this.#rules.reserve();
    const alternatives = [
      this.object(this.members(this.string, this.#anyValue), true),
      this.array(this.#anyValue, 0, undefined),
      this.string,
      this.number,
      this.boolean,
      this.null,
    ];
    this.#rules.define(this.#anyValue, alternatives.join(' | '));
    return this.#anyValue;
  }

  get anyObject(): Gbnf {
    return this.object(this.members(this.string, this.value), true);
  }

  /** `"key": value`. */
  member(key: Gbnf, value: Gbnf): Gbnf {
    return this.#rules.add(`${key} ":" ${this.space} ${value}`);
  }

  /** One member or more of the same kind. */
  members(key: Gbnf, value: Gbnf): Gbnf {
    const more = this.#rules.add(`"," ${this.space} ${this.member(key, value)}`);
    return this.#rules.add(`${this.member(key, value)} ${more}*`);
  }

  object(members: Gbnf | undefined, canBeEmpty: boolean): Gbnf {
    const full = members && `"{" ${this.space} ${members} ${this.space} "}"`;
    if (!full) return this.#rules.add(`"{" ${this.space} "}"`);
    return this.#rules.add(canBeEmpty ? `${full} | "{" ${this.space} "}"` : full);
  }

  array(item: Gbnf, min: number, max: number | undefined): Gbnf {
    return this.tuple([], item, min, max);
  }

  /** All of `first`, then further items; `min` and `max` count both. */
  tuple(first: readonly Gbnf[], rest: Gbnf | undefined, min: number, max: number | undefined): Gbnf {
    const { space } = this;
    const empty = `"[" ${space} "]"`;
    const separator = `"," ${space}`;
    const given = first.join(` ${separator} `);
    const most = rest === undefined ? first.length : max;
    if (most === 0) return this.#rules.add(empty);
    const rules = this.#rules;
    const more = (taken: number): Gbnf =>
      rest === undefined || most === taken
        ? nothing
        : rules.repeat(
            rules.add(`${separator} ${rest}`),
            Math.max(min - taken, 0),
            most === undefined ? undefined : most - taken,
          );
    if (first.length > 0) return rules.add(`"[" ${space} ${given} ${more(first.length)} ${space} "]"`);
    const filled = `"[" ${space} ${rest} ${more(1)} ${space} "]"`;
    return rules.add(min === 0 ? `${filled} | ${empty}` : filled);
  }
}
