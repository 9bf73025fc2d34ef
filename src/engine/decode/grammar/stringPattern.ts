import { anyCharacter, type CharacterSet, inJsonString, just, union, without } from './characterSet.ts';
import { type Gbnf, type GrammarRules, grammarLimits, nothing } from './rules.ts';

interface Part {
  readonly gbnf: Gbnf;
  /** It may stand for no text at all. */
  readonly canBeEmpty: boolean;
}

const digits: CharacterSet = [[0x30, 0x39]];
const word = union(digits, [[0x41, 0x5a]], [[0x5f, 0x5f]], [[0x61, 0x7a]]);
const space = union(
  [
    [0x09, 0x0d],
    [0x2000, 0x200a],
  ],
  just(' \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff'),
);
const lineEnds = just('\n\r\u2028\u2029');
const classEscapes: Readonly<Record<string, CharacterSet>> = {
  d: digits,
  D: without(anyCharacter, digits),
  w: word,
  W: without(anyCharacter, word),
  s: space,
  S: without(anyCharacter, space),
};
const characterEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  f: '\f',
  0: '\0',
};

/**
 * The inside of a JSON string that a regular expression (ECMA-262, flag `u`) matches anywhere, as JSON Schema's `pattern`
 * does. `refuse` is called with the reason for what is left out: look-around, back references, word borders, Unicode properties,
 * anchors inside, flags.
 */
export function stringPattern(
  pattern: string,
  rules: GrammarRules,
  refuse: (problem: string) => never,
): Gbnf {
  return new PatternParser(pattern, rules, refuse).parse();
}

class PatternParser {
  readonly #source: readonly string[];
  readonly #rules: GrammarRules;
  readonly #refuse: (problem: string) => never;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, rules: GrammarRules, refuse: (problem: string) => never) {
    this.#source = [...pattern];
    this.#rules = rules;
    this.#refuse = refuse;
    if (!compiles(pattern, 'u') && !compiles(pattern, '')) refuse('it is not a regular expression');
  }

  parse(): Gbnf {
    const filler = `${inJsonString(anyCharacter, this.#rules)}*`;
    const branches: Gbnf[] = [];
    do {
      const start = this.#take('^') ? '' : `${filler} `;
      const { gbnf } = this.#sequence();
      const end = this.#take('$') ? '' : ` ${filler}`;
      branches.push(`${start}${gbnf}${end}`);
    } while (this.#take('|'));
    if (this.#at < this.#source.length)
      this.#refuse(`${this.#source[this.#at]} at ${this.#at} is not supported`);
    return this.#rules.choice(branches);
  }

  #alternatives(): Part {
    if (++this.#depth > 50) this.#refuse('groups lie more than 50 deep');
    const branches: Part[] = [];
    do branches.push(this.#sequence());
    while (this.#take('|'));
    this.#depth--;
    return {
      gbnf: this.#rules.add([...new Set(branches.map(({ gbnf }) => gbnf))].join(' | ')),
      canBeEmpty: branches.some(({ canBeEmpty }) => canBeEmpty),
    };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    for (let next = this.#source[this.#at]; next !== undefined; next = this.#source[this.#at]) {
      if (next === '|' || next === ')') break;
      if (next === '$' && this.#endsBranch()) break;
      parts.push(this.#quantified());
    }
    const gbnf = parts.map((part) => part.gbnf).join(' ') || nothing;
    return { gbnf, canBeEmpty: parts.every(({ canBeEmpty }) => canBeEmpty) };
  }

  /** Only outside of groups is the end of a branch the end of the text. */
  #endsBranch(): boolean {
    const behind = this.#source[this.#at + 1];
    return this.#depth === 0 && (behind === undefined || behind === '|');
  }

  #quantified(): Part {
    const part = this.#atom();
    const range = this.#quantifier();
    if (!range) return part;
    const [min, max] = range;
    const most = max ?? min;
    if (most > grammarLimits.maxRepetition) {
      this.#refuse(`it repeats ${most} times, the limit is ${grammarLimits.maxRepetition}`);
    }
    if (part.canBeEmpty && most !== 1 && max !== 0) this.#refuse('what it repeats can be empty');
    this.#take('?');
    return { gbnf: this.#rules.repeat(part.gbnf, min, max), canBeEmpty: part.canBeEmpty || min === 0 };
  }

  #quantifier(): [min: number, max: number | undefined] | undefined {
    if (this.#take('*')) return [0, undefined];
    if (this.#take('+')) return [1, undefined];
    if (this.#take('?')) return [0, 1];
    const counts = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 40).join(''));
    if (!counts) return undefined;
    this.#at += counts[0].length;
    const min = Number(counts[1]);
    return [min, counts[2] === '' ? min : counts[3] === '' ? undefined : Number(counts[3])];
  }

  #atom(): Part {
    const at = this.#at;
    const next = this.#source[this.#at++] as string;
    if (next === '(') return this.#group();
    if (next === '^' || next === '$') this.#refuse(`${next} at ${at} is neither at its start nor at its end`);
    if (next === '.') return this.#one(without(anyCharacter, lineEnds));
    if (next === '[') return this.#one(this.#class());
    if (next === '\\') return this.#one(this.#escape());
    return this.#one(just(next));
  }

  #group(): Part {
    if (this.#take('?') && !this.#take(':')) {
      const name = /^<[^=!>][^>]*>/.exec(this.#source.slice(this.#at).join(''))?.[0];
      if (name === undefined) this.#refuse('look-around and flags in groups are not supported');
      this.#at += [...name].length;
    }
    const part = this.#alternatives();
    this.#at++;
    return part;
  }

  #class(): CharacterSet {
    const inverse = this.#take('^');
    const sets: CharacterSet[] = [];
    while (!this.#take(']')) {
      const from = this.#classMember();
      if (this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']') {
        this.#at++;
        const to = this.#classMember();
        sets.push([[this.#single(from), this.#single(to)]]);
      } else sets.push(from);
    }
    const set = union(...sets);
    return inverse ? without(anyCharacter, set) : set;
  }

  #single(set: CharacterSet): number {
    const [range, ...others] = set;
    if (!range || others.length > 0 || range[0] !== range[1]) this.#refuse('a range in it ends in a class');
    return range[0];
  }

  #classMember(): CharacterSet {
    const next = this.#source[this.#at++] as string;
    if (next !== '\\') return just(next);
    return this.#take('b') ? just('\b') : this.#escape();
  }

  #escape(): CharacterSet {
    const letter = this.#source[this.#at++] as string;
    const set = classEscapes[letter];
    if (set) return set;
    const character = characterEscapes[letter];
    if (character !== undefined) return just(character);
    const code = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\})/.exec(
      letter + this.#source.slice(this.#at, this.#at + 12).join(''),
    );
    if (code) {
      this.#at += code[0].length - 1;
      const codePoint = Number.parseInt((code[1] ?? code[2] ?? code[3]) as string, 16);
      return [[codePoint, codePoint]];
    }
    if (/[A-Za-z0-9]/.test(letter)) this.#refuse(`\\${letter} is not supported`);
    return just(letter);
  }

  #one(set: CharacterSet): Part {
    const gbnf = inJsonString(set, this.#rules);
    if (gbnf === undefined) this.#refuse('a class in it has no characters');
    return { gbnf, canBeEmpty: false };
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
}

function compiles(pattern: string, flags: string): boolean {
  try {
    new RegExp(pattern, flags);
    return true;
  } catch {
    return false;
  }
}
