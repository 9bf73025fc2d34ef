import { failure } from '../../core/errors.ts';
import { addressOf, callAsync, type Pointer, viewFloats } from '../../llama/binding.ts';
import type { Llama } from '../../llama/llama.ts';
import type { Native } from '../../llama/native.ts';
import { BatchArrays } from './batchArrays.ts';
import { Candidates } from './candidates.ts';
import { DecodeAbort, DecodeAborted } from './decodeAbort.ts';
import { type KvType, kvTypeId } from './kvType.ts';
import type { Sampler } from './sampler.ts';
import { Vocabulary } from './vocabulary.ts';

export interface RunnerOptions {
  readonly modelPath: string;
  /** KV cells shared by all sequences (`n_ctx` with `kv_unified`). */
  readonly kvCells: number;
  readonly kvType: KvType;
  /** Most tokens one native decode takes. */
  readonly batchTokens: number;
  /** Native sequence ids, at most 256. */
  readonly maxSequences: number;
  readonly threads: number;
  readonly gpu: boolean;
  /** CPU threads lent by the backend; decodes and encodes must then never run at the same time. */
  readonly threadPool: Pointer | null;
}

/** One token to decode. `position` is its M-RoPE position in its sequence. */
export interface BatchToken {
  readonly sequence: number;
  readonly token: number;
  readonly position: number;
  readonly wantsLogits: boolean;
}

/** A run of one image's tokens. */
export interface ImageSlice {
  readonly sequence: number;
  /** All of the image's features, f32 [columns x rows, width]. */
  readonly features: Float32Array;
  readonly columns: number;
  /** Position of the image's first token. */
  readonly position: number;
  readonly firstToken: number;
  readonly tokenCount: number;
}

const decodeOk = 0;
const decodeAborted = 2;
/** A batch of up to this many tokens is run on the main thread while such batches take less than `quickMs`. */
const quickBatchTokens = 8;
const quickMs = 2;

/** Model and context of the text decoder: the only file that knows llama's memory. Owns both. */
export class Runner {
  readonly vocabulary: Vocabulary;
  /** Floats per input embedding: hidden x (1 + DeepStack layers). */
  readonly embeddingWidth: number;
  readonly trainedContext: number;
  readonly parameters: number;
  readonly options: RunnerOptions;
  readonly #llama: Llama;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #memory: Pointer;
  readonly #batch: BatchArrays;
  readonly #abort: DecodeAbort;
  #candidates: Candidates | undefined;
  /** Running average of what small batches took; they start on the worker thread. */
  #quickBatchMs = Number.POSITIVE_INFINITY;
  #disposed = false;

  private constructor(
    llama: Llama,
    model: Pointer,
    context: Pointer,
    abort: DecodeAbort,
    options: RunnerOptions,
  ) {
    this.#llama = llama;
    this.#model = model;
    this.#context = context;
    this.#memory = llama.llama_get_memory(context);
    this.#abort = abort;
    this.#batch = new BatchArrays(options.batchTokens, options.maxSequences);
    this.options = options;
    this.vocabulary = new Vocabulary(llama, llama.llama_model_get_vocab(model));
    this.embeddingWidth = llama.llama_model_n_embd_inp(model);
    this.trainedContext = llama.llama_model_n_ctx_train(model);
    this.parameters = Number(llama.llama_model_n_params(model));
  }

  /** Loads off the event loop. @throws model_load_failed, native_layout_mismatch */
  static async load(native: Native, options: RunnerOptions): Promise<Runner> {
    const { llama } = native;
    const abort = new DecodeAbort(native);
    const model = await callAsync(llama.llama_model_load_from_file, options.modelPath, {
      ...llama.llama_model_default_params(),
      n_gpu_layers: options.gpu ? -1 : 0,
    });
    if (!model) {
      throw failure('model_load_failed', {
        path: options.modelPath,
        reason: 'the engine library refused it; its log lines say why',
      });
    }
    const context = await callAsync(llama.llama_init_from_model, model, {
      ...llama.llama_context_default_params(),
      n_ctx: options.kvCells,
      n_batch: options.batchTokens,
      n_ubatch: options.batchTokens,
      n_seq_max: options.maxSequences,
      n_outputs_max: Math.max(options.maxSequences, 1),
      n_threads: options.threads,
      n_threads_batch: options.threads,
      // State layout and speed both depend on flash attention, so it is never left to the library's choice; quantised
      // values can't be read without it.
      flash_attn_type: 1,
      type_k: kvTypeId[options.kvType],
      type_v: kvTypeId[options.kvType],
      kv_unified: true,
      offload_kqv: options.gpu,
      op_offload: options.gpu,
      abort_callback: abort.callback,
      abort_callback_data: abort.data,
    });
    if (!context) {
      llama.llama_model_free(model);
      throw failure('model_load_failed', {
        path: options.modelPath,
        reason: `no memory for a context of ${options.kvCells} tokens`,
      });
    }
    if (options.threadPool) llama.llama_attach_threadpool(context, options.threadPool, options.threadPool);
    return new Runner(llama, model, context, abort, options);
  }

  /**
   * Decodes tokens of any sequences together. Logits of those that want them stay readable until the next decode.
   * @throws DecodeAborted
   */
  async decodeTokens(entries: readonly BatchToken[]): Promise<void> {
    const batch = this.#batch;
    for (const [index, entry] of entries.entries()) {
      batch.tokens[index] = entry.token;
      batch.positions[index] = entry.position;
      batch.setSequence(index, entry.sequence);
      batch.logits[index] = entry.wantsLogits ? 1 : 0;
    }
    await this.#decode(batch.struct(entries.length, 'tokens', null), entries.length);
  }

  /**
   * Decodes a slice of an image. M-RoPE positions come as four arrays (time, row, column, 0), one after another; all
   * tokens of a still image share one time position.
   * @throws DecodeAborted
   */
  async decodeImage(slice: ImageSlice): Promise<void> {
    const { firstToken, tokenCount, columns, position } = slice;
    const batch = this.#batch;
    for (let index = 0; index < tokenCount; index++) {
      const token = firstToken + index;
      batch.positions[index] = position;
      batch.positions[tokenCount + index] = position + Math.floor(token / columns);
      batch.positions[2 * tokenCount + index] = position + (token % columns);
      batch.positions[3 * tokenCount + index] = 0;
      batch.setSequence(index, slice.sequence);
      batch.logits[index] = 0;
    }
    const width = this.embeddingWidth;
    const features = slice.features.subarray(firstToken * width, (firstToken + tokenCount) * width);
    await this.#decode(batch.struct(tokenCount, 'features', addressOf(features)), tokenCount);
  }

  /** Has the decode that runs now, if one does, reject with DecodeAborted; what it was to add is not in the memory then. */
  abortDecode(): void {
    this.#abort.request();
  }

  /** Samples from the logits of one entry of the last `decodeTokens`, and tells the sampler about its choice. */
  sample(sampler: Sampler, entryIndex: number): number {
    if (sampler.grammar) {
      const logits = this.#llama.llama_get_logits_ith(this.#context, entryIndex);
      this.#candidates ??= new Candidates(this.#llama, this.vocabulary.size);
      return sampler.grammar.draw(
        sampler.pointer,
        viewFloats(logits, this.vocabulary.size),
        this.#candidates,
      );
    }
    return this.#llama.llama_sampler_sample(sampler.pointer, this.#context, entryIndex);
  }

  /** Lets `to` share the first `positions` positions of `from`. Costs no memory. `to` must be empty. */
  sharePrefix(from: number, to: number, positions: number): void {
    this.#llama.llama_memory_seq_cp(this.#memory, from, to, 0, positions);
  }

  /** Forgets everything of a sequence from a position on; 0 empties it. */
  truncate(sequence: number, position: number): void {
    const removed = this.#llama.llama_memory_seq_rm(this.#memory, sequence, position, -1);
    if (!removed)
      throw failure('engine_failed', { reason: 'the KV cache could not drop the end of a sequence' });
  }

  /** Attention state of a sequence as bytes that only `restore` of this runner understands. Not while a decode runs. */
  save(sequence: number): Uint8Array {
    const size = Number(this.#llama.llama_state_seq_get_size(this.#context, sequence));
    const state = new Uint8Array(size);
    const written = Number(this.#llama.llama_state_seq_get_data(this.#context, state, size, sequence));
    if (written !== size) {
      throw failure('engine_failed', { reason: `${written} of ${size} bytes of attention state came` });
    }
    return state;
  }

  /** Puts saved state into an empty sequence. False when there is no room for it; then the sequence is still empty. */
  restore(sequence: number, state: Uint8Array): boolean {
    const read = Number(this.#llama.llama_state_seq_set_data(this.#context, state, state.length, sequence));
    if (read === state.length) return true;
    this.truncate(sequence, 0);
    return false;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#llama.llama_free(this.#context);
    this.#llama.llama_model_free(this.#model);
  }

  /** On a worker thread, unless the hop there and back would cost as much as the work: then the event loop waits. */
  async #decode(batch: Record<string, unknown>, tokens: number): Promise<void> {
    const { llama_decode } = this.#llama;
    const isQuick = tokens <= quickBatchTokens && this.#quickBatchMs < quickMs;
    this.#abort.reset();
    const started = performance.now();
    const status = isQuick
      ? llama_decode(this.#context, batch)
      : await callAsync(llama_decode, this.#context, batch);
    if (tokens <= quickBatchTokens) {
      const elapsed = performance.now() - started;
      this.#quickBatchMs =
        this.#quickBatchMs === Number.POSITIVE_INFINITY ? elapsed : 0.9 * this.#quickBatchMs + 0.1 * elapsed;
    }
    if (status === decodeAborted) throw new DecodeAborted();
    if (status !== decodeOk) throw failure('engine_failed', { reason: `llama_decode answered ${status}` });
  }
}
