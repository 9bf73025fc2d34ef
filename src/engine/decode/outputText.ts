import type { GenerateRequest } from '../../core/request.ts';
import type { ToolCall } from '../../core/tools.ts';
import type { Tokenizer } from '../prompt/tokenizer.ts';
import { StopStrings } from './stopStrings.ts';
import { type AnswerPiece, ToolCallScanner } from './toolCallScanner.ts';
import { Utf8Stream } from './utf8Stream.ts';

export interface OutputTextOptions {
  /** Names of the tools that may be called; without them an answer is text whatever it says. */
  readonly toolNames?: readonly string[];
  /** The answer ends behind its first call. */
  readonly stopAfterCall?: boolean;
}

/**
 * The text of one answer as its tokens come, and the calls in it. The token that ends the generation is not pushed.
 * Stop strings count in the text only. White space between a call and what is beside it belongs to neither.
 */
export class OutputText {
  readonly #tokenizer: Tokenizer;
  readonly #stop: StopStrings;
  readonly #scanner: ToolCallScanner | undefined;
  readonly #stopAfterCall: boolean;
  readonly #utf8 = new Utf8Stream();
  readonly #tokens: number[] = [];
  /** Length in UTF-16 units of all that was decoded, up to and including each token. */
  readonly #decodedLengths: number[] = [];
  #decoded = '';
  /** How much of what was decoded is certain: where the answer ends, once it is stopped. */
  #certainLength = 0;
  #text = '';
  /** White space at the end of the text, which a call behind it would take away. */
  #space = '';
  readonly #toolCalls: ToolCall[] = [];
  #stopped = false;

  /** @throws invalid_parameter for a stop string that no text can contain. */
  constructor(
    tokenizer: Tokenizer,
    stop: readonly string[],
    { toolNames = [], stopAfterCall = false }: OutputTextOptions = {},
  ) {
    this.#tokenizer = tokenizer;
    this.#stop = new StopStrings(stop);
    this.#scanner = toolNames.length > 0 ? new ToolCallScanner(toolNames) : undefined;
    this.#stopAfterCall = stopAfterCall;
  }

  /**
   * Takes the next token. `delta` is the text that became certain: whole characters that no stop string can reach and that
   * don't begin a call. Once `stopped` is true nothing may be pushed any more.
   */
  push(token: number): { readonly delta: string; readonly stopped: boolean } {
    const delta = this.#add(this.#utf8.push(this.#tokenizer.bytesOf(token)));
    this.#tokens.push(token);
    this.#decodedLengths.push(this.#decoded.length);
    return { delta, stopped: this.#stopped };
  }

  /**
   * Gives out what was held back; a character that was cut off is U+FFFD, and a call that was cut off because the answer would be too
   * long (`atLimit`) is nothing. To be called once, before `result`.
   */
  finish({ atLimit }: { atLimit: boolean }): { readonly delta: string } {
    if (this.#stopped) return { delta: '' };
    let delta = this.#add(this.#utf8.flush());
    if (!this.#stopped && this.#scanner) delta += this.#take(this.#scanner.flush({ atLimit }));
    if (!this.#stopped) delta += this.#certain(this.#stop.flush());
    return { delta: delta + this.#endSpace() };
  }

  /**
   * The whole text, all deltas joined, the calls, and token ids whose bytes decode to exactly the answer up to its end.
   * They are the tokens that were pushed; when the answer was cut, those that lie wholly before the cut, then the rest
   * tokenized anew.
   */
  result(): {
    readonly text: string;
    readonly toolCalls: readonly ToolCall[];
    readonly tokens: readonly number[];
  } {
    const written = { text: this.#text, toolCalls: this.#toolCalls };
    if (!this.#stopped) return { ...written, tokens: this.#tokens };
    let kept = this.#decodedLengths.findLastIndex((length) => length <= this.#certainLength) + 1;
    // A token may end in the middle of a character that the cut took away or that a later token completes.
    while (!this.#endsBetweenCharacters(kept)) kept--;
    const rest = this.#decoded.slice(this.#lengthOf(kept), this.#certainLength);
    return { ...written, tokens: [...this.#tokens.slice(0, kept), ...this.#tokenizer.encodePlain(rest)] };
  }

  #add(decoded: string): string {
    this.#decoded += decoded;
    return this.#take(this.#scanner ? this.#scanner.push(decoded) : [{ kind: 'text', raw: decoded }]);
  }

  #take(pieces: readonly AnswerPiece[]): string {
    let delta = '';
    for (const piece of pieces) {
      if (this.#stopped) break;
      if (piece.kind === 'text') {
        const { text, stopped } = this.#stop.push(piece.raw);
        delta += this.#certain(text);
        this.#stopped = stopped;
        continue;
      }
      delta += this.#certain(this.#stop.flush());
      if (piece.kind === 'cut') {
        this.#stopped = true;
        continue;
      }
      this.#space = '';
      this.#certainLength += piece.raw.length;
      this.#toolCalls.push(piece.call);
      this.#stopped = this.#stopAfterCall;
    }
    return this.#stopped ? delta + this.#endSpace() : delta;
  }

  /** White space at the end stays, unless calls are there too. */
  #endSpace(): string {
    const space = this.#toolCalls.length === 0 ? this.#space : '';
    this.#space = '';
    this.#text += space;
    return space;
  }

  /** Takes text that no stop string can reach; gives out what no call can take away. */
  #certain(text: string): string {
    this.#certainLength += text.length;
    const known = this.#space + text;
    const delta = this.#scanner ? known.trimEnd() : known;
    this.#space = known.slice(delta.length);
    this.#text += delta;
    return delta;
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

/** Which calls an answer may hold. */
export function callsOf({
  tools = [],
  toolChoice,
  parallelToolCalls = true,
}: GenerateRequest): OutputTextOptions {
  if (toolChoice === 'none') return {};
  return { toolNames: tools.map(({ name }) => name), stopAfterCall: !parallelToolCalls };
}
