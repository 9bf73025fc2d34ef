import type { Tokenizer } from '../prompt/tokenizer.ts';
import { StopStrings } from './stopStrings.ts';
import { Utf8Stream } from './utf8Stream.ts';

/** The text of one answer as its tokens come. The token that ends the generation is not pushed. */
export class OutputText {
  readonly #tokenizer: Tokenizer;
  readonly #stop: StopStrings;
  readonly #utf8 = new Utf8Stream();
  readonly #tokens: number[] = [];
  /** Length in UTF-16 units of the text before stop strings, up to and including each token. */
  readonly #decodedLengths: number[] = [];
  #decodedLength = 0;
  #text = '';
  #stopped = false;

  /** @throws invalid_parameter for a stop string that no text can contain. */
  constructor(tokenizer: Tokenizer, stop: readonly string[]) {
    this.#tokenizer = tokenizer;
    this.#stop = new StopStrings(stop);
  }

  /**
   * Takes the next token. `delta` is the text that became certain: whole characters that no stop string can reach.
   * Once `stopped` is true nothing may be pushed any more.
   */
  push(token: number): { readonly delta: string; readonly stopped: boolean } {
    const delta = this.#add(this.#utf8.push(this.#tokenizer.bytesOf(token)));
    this.#tokens.push(token);
    this.#decodedLengths.push(this.#decodedLength);
    return { delta, stopped: this.#stopped };
  }

  /** Gives out what was held back; a character that was cut off is U+FFFD. To be called once, before `result`. */
  finish(): { readonly delta: string } {
    if (this.#stopped) return { delta: '' };
    let delta = this.#add(this.#utf8.flush());
    if (!this.#stopped) {
      const held = this.#stop.flush();
      this.#text += held;
      delta += held;
    }
    return { delta };
  }

  /**
   * The whole text, all deltas joined, and token ids whose bytes decode to exactly it. They are the tokens that were
   * pushed; when a stop string cut the text, those that lie wholly before it, then the rest of the text tokenized anew.
   */
  result(): { readonly text: string; readonly tokens: readonly number[] } {
    if (!this.#stopped) return { text: this.#text, tokens: this.#tokens };
    let kept = this.#decodedLengths.findLastIndex((length) => length <= this.#text.length) + 1;
    // A token may end in the middle of a character that the cut took away or that a later token completes.
    while (!this.#endsBetweenCharacters(kept)) kept--;
    const rest = this.#text.slice(this.#lengthOf(kept));
    return {
      text: this.#text,
      tokens: [...this.#tokens.slice(0, kept), ...this.#tokenizer.encodePlain(rest)],
    };
  }

  #add(decoded: string): string {
    this.#decodedLength += decoded.length;
    const { text, stopped } = this.#stop.push(decoded);
    this.#text += text;
    this.#stopped = stopped;
    return text;
  }

  #lengthOf(tokenCount: number): number {
    return tokenCount === 0 ? 0 : (this.#decodedLengths[tokenCount - 1] as number);
  }

  #endsBetweenCharacters(tokenCount: number): boolean {
    const utf8 = new Utf8Stream();
    for (const token of this.#tokens.slice(0, tokenCount)) utf8.push(this.#tokenizer.bytesOf(token));
    return utf8.flush() === '';
  }
}
