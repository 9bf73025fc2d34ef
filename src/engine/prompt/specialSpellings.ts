/** Finds where a text spells a special token of a vocabulary, to use the token (template) or to prevent it (users). */
export class SpecialSpellings {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #any: RegExp;
  readonly #cuttable: RegExp;

  constructor(specials: ReadonlyMap<string, number>) {
    this.#ids = specials;
    const spellings = [...specials.keys()].filter((spelling) => spelling !== '');
    this.#any = alternatives(spellings);
    // A spelling of one character is that character: there is nothing to cut.
    this.#cuttable = alternatives(spellings.filter((spelling) => spelling.length > firstCharacter(spelling)));
  }

  /** Splits text into plain runs and token ids, in order. Where several spellings start, the longest one counts. */
  parse(text: string): (string | number)[] {
    const pieces: (string | number)[] = [];
    let end = 0;
    for (const { 0: spelling, index } of text.matchAll(this.#any)) {
      if (index > end) pieces.push(text.slice(end, index));
      pieces.push(this.#ids.get(spelling) as number);
      end = index + spelling.length;
    }
    if (end < text.length) pieces.push(text.slice(end));
    return pieces;
  }

  /**
   * Cuts a text after the first character of every spelling in it, overlapping ones too. The pieces joined are the
   * text; none of them contains a spelling of more than one character.
   */
  cutApart(text: string): string[] {
    const pieces: string[] = [];
    let start = 0;
    this.#cuttable.lastIndex = 0;
    for (let match = this.#cuttable.exec(text); match; match = this.#cuttable.exec(text)) {
      const cut = match.index + firstCharacter(match[0]);
      pieces.push(text.slice(start, cut));
      start = cut;
      this.#cuttable.lastIndex = cut;
    }
    if (start < text.length) pieces.push(text.slice(start));
    return pieces;
  }
}

/** UTF-16 length of a text's first code point. */
function firstCharacter(text: string): number {
  return (text.codePointAt(0) as number) > 0xffff ? 2 : 1;
}

function alternatives(spellings: readonly string[]): RegExp {
  const longestFirst = [...spellings].sort((a, b) => b.length - a.length);
  // `(?!)` matches nowhere: what a vocabulary without special tokens needs.
  return new RegExp(longestFirst.map(escapePattern).join('|') || '(?!)', 'g');
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
