import type { Pointer } from '../../llama/binding.ts';
import type { Llama } from '../../llama/llama.ts';
import type { Tokenizer } from '../prompt/tokenizer.ts';

/** `enum llama_token_attr`: bits that make a token's spelling special. */
const attrControl = 1 << 3;
const attrUserDefined = 1 << 4;

/** The tokenizer of a loaded model. Borrowed from the model: valid until the model is disposed. */
export class Vocabulary implements Tokenizer {
  readonly size: number;
  readonly specials: ReadonlyMap<string, number>;
  /** Write nothing, and don't end an answer either. */
  readonly controlTokens: readonly number[];
  readonly pointer: Pointer;
  readonly #llama: Llama;
  readonly #pieces = new Map<number, Uint8Array>();

  constructor(llama: Llama, pointer: Pointer) {
    this.#llama = llama;
    this.pointer = pointer;
    this.size = llama.llama_vocab_n_tokens(pointer);
    const specials = new Map<string, number>();
    const controlTokens: number[] = [];
    for (let token = 0; token < this.size; token++) {
      const attributes = llama.llama_vocab_get_attr(pointer, token);
      if (attributes & (attrControl | attrUserDefined)) {
        specials.set(llama.llama_vocab_get_text(pointer, token), token);
      }
      if (attributes & attrControl && !llama.llama_vocab_is_eog(pointer, token)) controlTokens.push(token);
    }
    this.specials = specials;
    this.controlTokens = controlTokens;
  }

  encodePlain(text: string): number[] {
    if (text.length === 0) return [];
    const bytes = Buffer.from(text, 'utf8');
    // A token stands for at least one byte, so this never overflows.
    const tokens = new Int32Array(bytes.length + 8);
    const count = this.#llama.llama_tokenize(
      this.pointer,
      bytes,
      bytes.length,
      tokens,
      tokens.length,
      false,
      false,
    );
    if (count < 0) throw new Error(`llama_tokenize needs ${-count} tokens for ${bytes.length} bytes`);
    return Array.from(tokens.subarray(0, count));
  }

  bytesOf(token: number): Uint8Array {
    const known = this.#pieces.get(token);
    if (known) return known;
    let buffer = new Uint8Array(64);
    let length = this.#llama.llama_token_to_piece(this.pointer, token, buffer, buffer.length, 0, false);
    if (length < 0) {
      buffer = new Uint8Array(-length);
      length = this.#llama.llama_token_to_piece(this.pointer, token, buffer, buffer.length, 0, false);
    }
    const piece = buffer.slice(0, length);
    this.#pieces.set(token, piece);
    return piece;
  }

  isEndOfGeneration(token: number): boolean {
    return this.#llama.llama_vocab_is_eog(this.pointer, token);
  }
}
