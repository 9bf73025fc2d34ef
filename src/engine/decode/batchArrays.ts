import { addressOf } from '../../llama/binding.ts';

/** The arrays a `llama_batch` points to, allocated once: nothing is allocated per token. */
export class BatchArrays {
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  readonly logits: Int8Array;
  readonly #sequenceCounts: Int32Array;
  readonly #sequenceIds: Int32Array;
  readonly #sequencePointers: BigUint64Array;
  readonly #sequenceIdsAddress: bigint;

  constructor(capacity: number, maxSequences: number) {
    this.tokens = new Int32Array(capacity);
    this.positions = new Int32Array(4 * capacity);
    this.logits = new Int8Array(capacity);
    this.#sequenceCounts = new Int32Array(capacity).fill(1);
    // Small typed arrays live inside the JavaScript heap, where the collector moves them: keep this one large.
    this.#sequenceIds = Int32Array.from({ length: Math.max(maxSequences, 64) }, (_, id) => id);
    this.#sequencePointers = new BigUint64Array(capacity);
    this.#sequenceIdsAddress = addressOf(this.#sequenceIds);
  }

  setSequence(index: number, sequence: number): void {
    this.#sequencePointers[index] = this.#sequenceIdsAddress + BigInt(4 * sequence);
  }

  struct(count: number, input: 'tokens' | 'features', features: bigint | null): Record<string, unknown> {
    return {
      n_tokens: count,
      token: input === 'tokens' ? this.tokens : null,
      embd: features,
      pos: this.positions,
      n_seq_id: this.#sequenceCounts,
      seq_id: this.#sequencePointers,
      logits: this.logits,
    };
  }
}
