import type { Sampling } from '../../core/request.ts';
import { requestLimits } from '../../core/validateRequest.ts';
import type { Pointer } from '../../llama/binding.ts';
import type { Llama } from '../../llama/llama.ts';
import type { GrammarSampler } from './grammarSampler.ts';

/** A native sampler chain for one answer, and the grammar it may be bound to. Owns both; `dispose` frees them. */
export interface Sampler {
  readonly pointer: Pointer;
  readonly grammar: GrammarSampler | undefined;
  dispose(): void;
}

const greedyBelow = 1e-4;

/**
 * Builds the chain in the order llama.cpp's own tools use: bias, penalties, top-k, top-p, min-p, temperature, draw.
 * At temperature 0, or so close to it that logits divided by it overflow, the likeliest token is taken, after bias and penalties.
 * Penalties look at the tokens of this answer only, at most `penaltyWindow` of them. Takes over the grammar.
 */
export function createSampler(
  llama: Llama,
  sampling: Sampling,
  vocabularySize: number,
  penaltyWindow: number,
  grammar?: GrammarSampler,
): Sampler {
  const chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params());
  // The chain owns what is added to it.
  const add = (link: Pointer): void => llama.llama_sampler_chain_add(chain, link);

  const biases = Object.entries(sampling.logitBias);
  if (biases.length > 0) {
    add(llama.llama_sampler_init_logit_bias(vocabularySize, biases.length, packLogitBias(biases)));
  }
  const { repeatPenalty, frequencyPenalty, presencePenalty } = sampling;
  if (repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0) {
    add(
      llama.llama_sampler_init_penalties(
        vocabularySize,
        penaltyWindow,
        repeatPenalty,
        frequencyPenalty,
        presencePenalty,
      ),
    );
  }
  if (sampling.temperature < greedyBelow) {
    add(llama.llama_sampler_init_greedy());
  } else {
    if (sampling.topK > 0) add(llama.llama_sampler_init_top_k(sampling.topK));
    if (sampling.topP < 1) add(llama.llama_sampler_init_top_p(sampling.topP, 1));
    if (sampling.minP > 0) add(llama.llama_sampler_init_min_p(sampling.minP, 1));
    add(llama.llama_sampler_init_temp(sampling.temperature));
    add(llama.llama_sampler_init_dist(sampling.seed ?? Math.floor(Math.random() * requestLimits.maxSeed)));
  }

  let disposed = false;
  return {
    pointer: chain,
    grammar,
    dispose() {
      if (disposed) return;
      disposed = true;
      grammar?.dispose();
      llama.llama_sampler_free(chain);
    },
  };
}

/** `struct llama_logit_bias { llama_token token; float bias; }`, one after another. */
function packLogitBias(biases: readonly [string, number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(biases.length * 8));
  for (const [index, [token, bias]] of biases.entries()) {
    view.setInt32(index * 8, Number(token), true);
    view.setFloat32(index * 8 + 4, bias, true);
  }
  return new Uint8Array(view.buffer);
}
