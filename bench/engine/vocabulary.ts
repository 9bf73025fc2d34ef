import type { GgufHeader } from '../../src/models/ggufHeader.ts';

/** How byte-level BPE vocabularies write a leading space. */
const leadingSpace = 'Ġ';

/**
 * Words that are one token each, so that texts of an exact number of tokens can be written without the tokenizer. The
 * words of a text are drawn by a seed: texts of different seeds share no prefix worth reusing.
 */
export class Vocabulary {
  /** Token of ` a`: answers are made of it alone, so that both sides answer the same and as long as asked. */
  readonly answerToken: number;
  readonly #words: readonly string[];

  constructor(header: GgufHeader) {
    const tokens = header.metadata.get('tokenizer.ggml.tokens');
    if (!Array.isArray(tokens)) throw new TypeError(`${header.path} has no list of tokens`);
    this.answerToken = tokens.indexOf(`${leadingSpace}a`);
    this.#words = tokens.flatMap((token) => {
      const [, word] = /^Ġ([a-z]+)$/.exec(String(token)) ?? [];
      return word === undefined ? [] : [word];
    });
    if (this.answerToken < 0 || this.#words.length < 2) {
      throw new TypeError(`${header.path}: its vocabulary is not byte-level BPE with English words`);
    }
  }

  /** `count` words, each with a space before it: as many tokens. */
  text(count: number, seed: number): string {
    const random = randomNumbers(seed);
    return Array.from({ length: count }, () => ` ${this.#words[random() % this.#words.length]}`).join('');
  }
}

/** Xorshift32 (Marsaglia 2003): whole numbers from 1 to 2^32 - 1. */
function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
