import type { ImageSegment, Segment } from './segment.ts';
import type { SpecialSpellings } from './specialSpellings.ts';
import type { Tokenizer } from './tokenizer.ts';

/**
 * Collects the pieces of a prompt. Plain text is tokenized as one run up to the next special token, committed tokens or
 * image, as the tokenizer would see it in the finished string; no spelling in it becomes a special token.
 */
export class SegmentWriter {
  readonly #tokenizer: Tokenizer;
  readonly #spellings: SpecialSpellings;
  readonly #segments: Segment[] = [];
  #tokens: number[] = [];
  #plain = '';

  constructor(tokenizer: Tokenizer, spellings: SpecialSpellings) {
    this.#tokenizer = tokenizer;
    this.#spellings = spellings;
  }

  plain(text: string): void {
    this.#plain += text;
  }

  token(token: number): void {
    this.#tokenizePlain();
    this.#tokens.push(token);
  }

  tokens(tokens: readonly number[]): void {
    this.#tokenizePlain();
    for (const token of tokens) this.#tokens.push(token);
  }

  image(image: ImageSegment): void {
    this.#endTextSegment();
    this.#segments.push(image);
  }

  /** The prompt; the writer is used up. */
  finish(): Segment[] {
    this.#endTextSegment();
    return this.#segments;
  }

  #tokenizePlain(): void {
    for (const piece of this.#spellings.cutApart(this.#plain)) {
      for (const token of this.#tokenizer.encodePlain(piece)) this.#tokens.push(token);
    }
    this.#plain = '';
  }

  #endTextSegment(): void {
    this.#tokenizePlain();
    if (this.#tokens.length > 0) this.#segments.push({ kind: 'text', tokens: this.#tokens });
    this.#tokens = [];
  }
}
