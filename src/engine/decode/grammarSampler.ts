import { failure } from '../../core/errors.ts';
import type { Pointer } from '../../llama/binding.ts';
import type { Llama } from '../../llama/llama.ts';
import type { Candidates } from './candidates.ts';
import { Utf8Gate } from './utf8Gate.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Draws with single tokens taken out, before the grammar looks at all of them. */
const maxSingleRefusals = 8;

/**
 * Draws tokens that a grammar allows. The chain draws from all tokens and the grammar looks at that one token; when it
 * refuses, the token is taken out and another one drawn, and only after some refusals in a row is the grammar run over the
 * whole vocabulary. The chances are those of the grammar first (drawing without replacement until a token is allowed),
 * but for top-k, top-p and min-p, which then count tokens that nobody has refused yet.
 *
 * Cost with the 151,936 tokens of Qwen and a schema of four properties, on one core of an EPYC: 0.7 ms a token when the
 * first draw is allowed, of which the chain's own work on so many tokens is 0.4 ms; 0.7 ms more for each further draw; 20
 * to 110 ms for the grammar on the whole vocabulary.
 *
 * Owns the grammar's native state; borrows the chain.
 */
export class GrammarSampler {
  readonly #llama: Llama;
  readonly #vocabulary: Vocabulary;
  readonly #grammar: Pointer;
  readonly #utf8 = new Utf8Gate();

  private constructor(llama: Llama, vocabulary: Vocabulary, grammar: Pointer) {
    this.#llama = llama;
    this.#vocabulary = vocabulary;
    this.#grammar = grammar;
  }

  /** @param gbnf its start symbol is `root`. @returns undefined when llama.cpp can't use it; its log lines say why */
  static create(llama: Llama, vocabulary: Vocabulary, gbnf: string): GrammarSampler | undefined {
    const grammar = llama.llama_sampler_init_grammar(vocabulary.pointer, gbnf, 'root');
    return grammar ? new GrammarSampler(llama, vocabulary, grammar) : undefined;
  }

  /** Draws a token and takes it as the next one. @throws engine_failed when the grammar allows none */
  draw(chain: Pointer, logits: Float32Array, candidates: Candidates): number {
    const refused: number[] = [];
    let token = this.#drawn(chain, logits, candidates, refused);
    while (!this.#allows(token, candidates)) {
      if (refused.length === 0) refused.push(...this.#vocabulary.controlTokens);
      refused.push(token);
      token = this.#drawn(chain, logits, candidates, refused);
    }
    this.#llama.llama_sampler_accept(this.#grammar, token);
    this.#llama.llama_sampler_accept(chain, token);
    if (!this.#vocabulary.isEndOfGeneration(token)) this.#utf8.push(this.#vocabulary.bytesOf(token));
    return token;
  }

  dispose(): void {
    this.#llama.llama_sampler_free(this.#grammar);
  }

  #drawn(chain: Pointer, logits: Float32Array, candidates: Candidates, refused: readonly number[]): number {
    candidates.fill(logits);
    for (const token of refused) candidates.refuse(token);
    if (refused.length > maxSingleRefusals + this.#vocabulary.controlTokens.length) {
      candidates.apply(this.#grammar);
      if (!candidates.anyLeft) throw failure('engine_failed', { reason: 'the grammar allows no next token' });
    }
    candidates.apply(chain);
    return candidates.selected;
  }

  /** To the grammar a control token is its spelling, but it writes nothing. */
  #allows(token: number, candidates: Candidates): boolean {
    if (!this.#vocabulary.isEndOfGeneration(token)) {
      const bytes = this.#vocabulary.bytesOf(token);
      if (bytes.length === 0 || !this.#utf8.allows(bytes)) return false;
    }
    return candidates.allows(this.#grammar, token);
  }
}

/** @throws unsupported_parameter when llama.cpp can't use a grammar that we took for good */
export function createGrammarSampler(llama: Llama, vocabulary: Vocabulary, gbnf: string): GrammarSampler {
  const grammar = GrammarSampler.create(llama, vocabulary, gbnf);
  if (grammar) return grammar;
  throw failure('unsupported_parameter', {
    param: 'format.schema',
    problem: 'the engine could make no grammar of it, or of the parameters of a tool',
  });
}
