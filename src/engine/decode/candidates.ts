import { addressOf, type Pointer, viewFloats } from '../../llama/binding.ts';
import type { Llama } from '../../llama/llama.ts';

/** `struct llama_token_data { llama_token id; float logit; float p; }`, in 4-byte words. */
const words = 3;

/**
 * The tokens that could come next, as native samplers take them (`llama_token_data_array`). Filled and applied within one
 * call stack, so one serves all samplers of a runner.
 */
export class Candidates {
  readonly #llama: Llama;
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #size: number;
  readonly #dataAddress: bigint;
  /** `{ data: pointer, size: size_t, selected: int64, sorted: bool }` */
  readonly #array = new DataView(new ArrayBuffer(32));
  readonly #single = new DataView(new ArrayBuffer(32));
  /** A list of one token, kept large so that the collector does not move it. */
  readonly #singleData = new ArrayBuffer(1024);
  readonly #singleAddress: bigint;

  constructor(llama: Llama, vocabularySize: number) {
    this.#llama = llama;
    this.#size = vocabularySize;
    // Small typed arrays live inside the JavaScript heap, where the collector moves them: never that small.
    const data = new ArrayBuffer(Math.max(vocabularySize * words * 4, 1024));
    this.#ids = new Int32Array(data);
    this.#logits = new Float32Array(data);
    this.#dataAddress = addressOf(this.#ids);
    this.#singleAddress = addressOf(new Uint8Array(this.#singleData));
  }

  /** All tokens with these logits, in the order of their ids. */
  fill(logits: Float32Array): void {
    for (let token = 0, at = 0; token < this.#size; token++, at += words) {
      this.#ids[at] = token;
      this.#logits[at + 1] = logits[token] as number;
      this.#logits[at + 2] = 0;
    }
    describe(this.#array, this.#dataAddress, this.#size);
  }

  /** Takes a token out. Only right after `fill`, while tokens are in order. */
  refuse(token: number): void {
    this.#logits[token * words + 1] = Number.NEGATIVE_INFINITY;
  }

  get anyLeft(): boolean {
    for (let at = 1; at < this.#size * words; at += words) {
      if ((this.#logits[at] as number) > Number.NEGATIVE_INFINITY) return true;
    }
    return false;
  }

  apply(sampler: Pointer): void {
    this.#llama.llama_sampler_apply(sampler, this.#array);
  }

  /** The token that the last sampler applied has chosen. */
  get selected(): number {
    const index = Number(this.#array.getBigInt64(16, true));
    const data = this.#array.getBigUint64(0, true);
    if (index < 0) throw new Error('the sampler chose no token');
    if (data === this.#dataAddress) return this.#ids[index * words] as number;
    // A sampler may put a list of its own in place of the one it was given.
    return new Int32Array(viewFloats(data + BigInt(index * words * 4), 1).buffer)[0] as number;
  }

  /** Whether a sampler leaves this one token in. */
  allows(sampler: Pointer, token: number): boolean {
    const data = new DataView(this.#singleData);
    data.setInt32(0, token, true);
    data.setFloat32(4, 0, true);
    describe(this.#single, this.#singleAddress, 1);
    this.#llama.llama_sampler_apply(sampler, this.#single);
    return data.getFloat32(4, true) > Number.NEGATIVE_INFINITY;
  }
}

function describe(array: DataView, address: bigint, size: number): void {
  array.setBigUint64(0, address, true);
  array.setBigUint64(8, BigInt(size), true);
  array.setBigInt64(16, -1n, true);
  array.setUint8(24, 0);
}
