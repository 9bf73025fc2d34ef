import { AsyncQueue } from '../core/asyncQueue.ts';
import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type {
  EngineInfo,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  ImageSource,
  Sampling,
} from '../core/request.ts';
import { requestLimits, validateRequest } from '../core/validateRequest.ts';
import { type Backend, openBackend } from '../llama/backend.ts';
import { type Native, openNative } from '../llama/native.ts';
import { type ModelPair, resolveModelPair } from '../models/pair.ts';
import { type EngineConfig, type ResolvedEngineConfig, resolveConfig } from './config.ts';
import { OutputText } from './decode/outputText.ts';
import { Runner } from './decode/runner.ts';
import { createSampler } from './decode/sampler.ts';
import type { Logger } from './ipc/logger.ts';
import { imagesOf } from './ipc/wireRequest.ts';
import { ChatTemplate } from './prompt/chatTemplate.ts';
import { totalCells, totalPositions } from './prompt/commonPrefix.ts';
import type { Segment } from './prompt/segment.ts';
import { Scheduler } from './schedule/scheduler.ts';
import type { Sequence, SequenceRequest } from './schedule/sequence.ts';
import { EncodeQueue } from './vision/encodeQueue.ts';
import { VisionEncoder } from './vision/encoder.ts';

interface Parts {
  readonly native: Native;
  readonly backend: Backend;
  readonly runner: Runner;
  readonly encoder: VisionEncoder;
  readonly template: ChatTemplate;
  readonly config: ResolvedEngineConfig;
  readonly info: EngineInfo;
}

type Ending = Pick<SequenceRequest, 'onDelta' | 'onDone' | 'onError'>;

/** The native engine in this process. Owns model, vision tower, cache and threads; one per process. */
export class Engine implements InferencePort {
  readonly info: EngineInfo;
  readonly #parts: Parts;
  readonly #encodes: EncodeQueue;
  readonly #scheduler: Scheduler;
  #disposed: Promise<void> | undefined;

  private constructor(parts: Parts) {
    const { runner, encoder, config } = parts;
    this.#parts = parts;
    this.info = parts.info;
    this.#encodes = new EncodeQueue(encoder, config.featureCacheBytes, () => this.#scheduler.wake());
    this.#scheduler = new Scheduler(runner, this.#encodes, config);
  }

  /** Loads model and vision tower without blocking the event loop. @throws AfterimageError model_*, native_* */
  static async open(config: EngineConfig, logger: Logger): Promise<Engine> {
    const started = performance.now();
    const pair = await resolveModelPair({ model: config.model, mmproj: config.mmproj });
    const resolved = resolveConfig(config, pair);
    const native = await openNative(resolved.gpu, (level, line) => {
      // What the library calls info is hundreds of lines of model metadata, and its warnings address its own users.
      logger[level === 'error' ? 'error' : 'debug']({ native: true }, line);
    });
    const backend = openBackend(native.ggml, resolved.gpu, resolved.threads);
    const runner = await Runner.load(native, {
      modelPath: pair.modelPath,
      kvCells: resolved.kvCells,
      batchTokens: resolved.batchTokens,
      maxSequences: resolved.maxSequences,
      threads: resolved.threads,
      gpu: backend.isGpu,
      threadPool: backend.threadPool,
    });
    const encoder = await VisionEncoder.load(native, backend, pair, {
      ...(resolved.visionWeightType && { weightType: resolved.visionWeightType }),
    });
    const template = new ChatTemplate({
      source: pair.chatTemplate,
      path: pair.modelPath,
      tokenizer: runner.vocabulary,
      imageTokenPixels: pair.vision.patchSize * pair.vision.mergeSize,
    });
    const loadMs = performance.now() - started;
    const parts = { native, backend, runner, encoder, template, config: resolved };
    return new Engine({ ...parts, info: describe(pair, parts, loadMs) });
  }

  async ready(): Promise<EngineInfo> {
    return this.info;
  }

  async *generate(
    request: GenerateRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    signal?.throwIfAborted();
    const { runner } = this.#parts;
    const sampling = validateRequest(request);
    const prompt = this.#render(request, true);
    const maxOutputTokens = this.#outputLimit(request, prompt);
    const output = new OutputText(runner.vocabulary, request.stop ?? []);
    const events = new AsyncQueue<GenerateEvent>();
    const sequence = this.#submit(request, prompt, maxOutputTokens, sampling, output, {
      onDelta: (text) => events.push({ type: 'delta', text }),
      onDone: (result) => {
        events.push({ type: 'done', result: { ...output.result(), ...result } });
        events.end();
      },
      onError: (error) => events.fail(error),
    });
    const onAbort = (): void => {
      this.#scheduler.abort(sequence);
      events.fail(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      yield* events;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#scheduler.abort(sequence);
    }
  }

  async prewarm(request: GenerateRequest, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    signal?.throwIfAborted();
    validateRequest(request);
    const prompt = this.#render(request, false);
    const output = new OutputText(this.#parts.runner.vocabulary, []);
    const ended = Promise.withResolvers<void>();
    const sequence = this.#submit(request, prompt, 0, undefined, output, {
      onDelta: () => {},
      onDone: () => ended.resolve(),
      onError: ended.reject,
    });
    const onAbort = (): void => {
      this.#scheduler.abort(sequence);
      ended.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await ended.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async forget(tenant: string): Promise<void> {
    this.#scheduler.cache.forget(tenant);
    this.#encodes.cache.forget(tenant);
  }

  async stats(): Promise<EngineStats> {
    const { cache, totals, runningCount, waitingCount } = this.#scheduler;
    return {
      encoderCalls: this.#encodes.encoderCalls,
      running: runningCount,
      waiting: waitingCount,
      idleSequences: cache.idleCount,
      droppedSequences: cache.droppedSequences,
      kvCellsUsed: cache.ledger.used,
      kvCellsTotal: cache.ledger.total,
      featureBytes: this.#encodes.cache.bytes,
      ...totals,
      residentBytes: process.memoryUsage.rss(),
      restarts: 0,
    };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#close();
    return this.#disposed;
  }

  async #close(): Promise<void> {
    await this.#scheduler.stop(failure('engine_unavailable', { reason: 'it was shut down' }));
    const { runner, encoder, backend } = this.#parts;
    encoder.dispose();
    runner.dispose();
    backend.dispose();
  }

  #render(request: GenerateRequest, addGenerationPrompt: boolean): Segment[] {
    return this.#parts.template.render(request.messages, { addGenerationPrompt });
  }

  /** @throws context_length_exceeded when the prompt and the answer asked for don't fit the model or the cache. */
  #outputLimit(request: GenerateRequest, prompt: readonly Segment[]): number {
    const { runner, config } = this.#parts;
    // Positions, not tokens, are what the model was trained for: an image takes fewer of them than tokens.
    const left = Math.min(
      runner.trainedContext - totalPositions(prompt),
      config.kvCells - totalCells(prompt),
    );
    const wanted =
      request.maxOutputTokens ?? Math.max(1, Math.min(left, requestLimits.defaultMaxOutputTokens));
    if (wanted > left) {
      const limit = Math.min(runner.trainedContext, config.kvCells);
      throw failure('context_length_exceeded', { needed: limit - left + wanted, limit });
    }
    return wanted;
  }

  #submit(
    request: GenerateRequest,
    prompt: readonly Segment[],
    maxOutputTokens: number,
    sampling: Sampling | undefined,
    output: OutputText,
    ending: Ending,
  ): Sequence {
    const { native, runner } = this.#parts;
    for (const token of Object.keys(sampling?.logitBias ?? {})) {
      if (Number(token) < runner.vocabulary.size) continue;
      const problem = `is not a token id, the vocabulary has ${runner.vocabulary.size}`;
      throw failure('invalid_parameter', { param: `logitBias.${token}`, problem });
    }
    const images: ReadonlyMap<string, ImageSource> = imagesOf(request);
    return this.#scheduler.submit({
      tenant: request.tenant,
      prompt,
      promptCells: totalCells(prompt),
      maxOutputTokens,
      images,
      sampler: sampling && createSampler(native.llama, sampling, runner.vocabulary.size, maxOutputTokens),
      output,
      ...ending,
    });
  }
}

function describe(pair: ModelPair, parts: Omit<Parts, 'info' | 'template'>, loadMs: number): EngineInfo {
  const { runner, encoder, backend, native, config } = parts;
  return {
    model: pair.name,
    parameters: runner.parameters,
    contextTokens: runner.trainedContext,
    kvCells: config.kvCells,
    maxRunning: config.maxRunning,
    vision: {
      hidden: pair.vision.hidden,
      layers: pair.vision.layers,
      deepstackLayers: pair.vision.deepstackLayers.length,
      featureWidth: encoder.featureWidth,
      weightType: encoder.weightType,
      probeGflops: encoder.probeGflops as Record<string, number>,
    },
    backend: backend.name,
    device: backend.deviceName,
    instructionSets: native.systemInfo,
    threads: config.threads,
    loadMs,
  };
}
