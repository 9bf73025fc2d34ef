import { AsyncQueue } from '../core/asyncQueue.ts';
import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type {
  EngineInfo,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  GenerateResult,
  HeldSession,
  ImageName,
  ImageSource,
  PrewarmResult,
  PromptCount,
  Sampling,
  StateNode,
} from '../core/request.ts';
import { validateRequest } from '../core/validateRequest.ts';
import type { EngineConfig } from './config.ts';
import { contextLimit, outputLimit } from './contextLimits.ts';
import { answerGrammar } from './decode/grammar/answerGrammar.ts';
import { createGrammarSampler } from './decode/grammarSampler.ts';
import { callsOf, OutputText } from './decode/outputText.ts';
import { createSampler } from './decode/sampler.ts';
import type { Logger } from './ipc/logger.ts';
import { imagesOf } from './ipc/wireRequest.ts';
import { type EngineParts, loadParts } from './loadParts.ts';
import { totalCells } from './prompt/commonPrefix.ts';
import { imageKey, sizeOfImage } from './prompt/imageKey.ts';
import { type Segment, segmentCells } from './prompt/segment.ts';
import { Scheduler } from './schedule/scheduler.ts';
import type { Sequence, SequenceRequest } from './schedule/sequence.ts';
import { describeTree } from './state/describeTree.ts';
import { EncodeQueue } from './vision/encodeQueue.ts';
import { featurePacking } from './vision/featurePacking.ts';
import { imageVector, vectorSpace } from './vision/imageVector.ts';

interface Answering {
  /** 0: no answer. */
  readonly maxOutputTokens: number;
  readonly sampling?: Sampling;
  /** The grammar of the answer. */
  readonly gbnf?: string | undefined;
}

type Ending = Pick<SequenceRequest, 'onDelta' | 'onDone' | 'onError'>;

/** The native engine in this process. Owns model, vision tower, cache and threads; one per process. */
export class Engine implements InferencePort {
  readonly info: EngineInfo;
  readonly #parts: EngineParts;
  readonly #encodes: EncodeQueue;
  readonly #scheduler: Scheduler;
  #disposed: Promise<void> | undefined;

  private constructor(parts: EngineParts) {
    const { runner, encoder, config, state } = parts;
    this.#parts = parts;
    this.info = parts.info;
    const packing = featurePacking(parts.native.ggml, config.featureType, encoder.featureWidth);
    const keeping = { packing, store: state.features, maxBytes: config.featureCacheBytes };
    this.#encodes = new EncodeQueue(encoder, keeping, () => this.#scheduler.wake());
    const { controller, planner, rate } = state;
    this.#scheduler = new Scheduler(
      runner,
      { encodes: this.#encodes, state: controller, planner, rate },
      config,
    );
    state.resume();
  }

  /** Loads without blocking the event loop. @throws AfterimageError model_*, native_* */
  static async open(config: EngineConfig, logger: Logger): Promise<Engine> {
    return new Engine(await loadParts(config, logger));
  }

  async ready(): Promise<EngineInfo> {
    return this.info;
  }

  async *generate(
    request: GenerateRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    signal?.throwIfAborted();
    await this.#parts.state.resumed();
    signal?.throwIfAborted();
    this.#demandOpen();
    const { runner } = this.#parts;
    const sampling = validateRequest(request);
    const prompt = this.#render(request, true);
    const maxOutputTokens = outputLimit(request, prompt, this.#parts);
    const output = new OutputText(runner.vocabulary, request.stop ?? [], callsOf(request));
    const gbnf = answerGrammar(request);
    const events = new AsyncQueue<GenerateEvent>();
    const sequence = this.#submit(request, prompt, { maxOutputTokens, sampling, gbnf }, output, {
      onDelta: (text) => events.push({ type: 'delta', text }),
      onDone: (result) => {
        const written = output.result();
        for (const call of written.toolCalls) events.push({ type: 'toolCall', call });
        const called = result.finishReason === 'stop' && written.toolCalls.length > 0;
        const finishReason = called ? 'tool_calls' : result.finishReason;
        const answered = { ...written, ...result, ...this.#vectors(request), finishReason };
        this.#log(request, answered);
        events.push({ type: 'done', result: answered });
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

  async prewarm(request: GenerateRequest, { signal }: { signal?: AbortSignal } = {}): Promise<PrewarmResult> {
    signal?.throwIfAborted();
    await this.#parts.state.resumed();
    signal?.throwIfAborted();
    this.#demandOpen();
    validateRequest(request);
    answerGrammar(request);
    const prompt = this.#render(request, false);
    const output = new OutputText(this.#parts.runner.vocabulary, []);
    const ended = Promise.withResolvers<PrewarmResult>();
    const sequence = this.#submit(request, prompt, { maxOutputTokens: 0 }, output, {
      onDelta: () => {},
      onDone: ({ usage, timings, plan }) =>
        ended.resolve({ usage, timings, ...(plan && { plan }), ...this.#vectors(request) }),
      onError: ended.reject,
    });
    const onAbort = (): void => {
      this.#scheduler.abort(sequence);
      ended.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await ended.promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async countTokens(request: GenerateRequest): Promise<PromptCount> {
    this.#demandOpen();
    validateRequest(request);
    answerGrammar(request);
    const prompt = this.#render(request, true);
    const images = prompt.filter((segment) => segment.kind === 'image');
    return {
      promptTokens: totalCells(prompt),
      imageTokens: images.reduce((sum, image) => sum + segmentCells(image), 0),
      limit: contextLimit(this.#parts),
    };
  }

  async forget(tenant: string, session?: string): Promise<void> {
    const { state } = this.#parts;
    this.#scheduler.forget(tenant, session);
    if (session === undefined) {
      state.owners.forget(tenant);
      this.#encodes.forget(tenant);
      return state.forget(tenant, undefined, []);
    }
    const images = state.owners.release(tenant, session);
    for (const key of images) this.#encodes.forgetImage(tenant, key);
    return state.forget(tenant, session, images);
  }

  heldSessions(): Promise<readonly HeldSession[]> {
    return this.#parts.state.sessions();
  }

  async keepsFeatures(tenant: string, image: ImageName): Promise<boolean> {
    return this.#encodes.persist(tenant, imageKey(image));
  }

  async stateTree(tenant: string, session: string): Promise<readonly StateNode[]> {
    const { state, template, kvBytesPerToken: bytesPerCell } = this.#parts;
    const hot = this.#scheduler.cache.heldBy(tenant, session).map(({ segments, cells }) => {
      return { segments, tier: 'hot' as const, bytes: cells * bytesPerCell };
    });
    const bytesOf = (key: string): number =>
      Math.max(this.#encodes.cache.bytesOf(tenant, key), state.features?.bytesOf(tenant, key) ?? 0);
    const images = new Map<string, number>();
    for (const key of state.owners.namesOf(tenant, session)) {
      const size = sizeOfImage(key);
      if (size) images.set(key, (size.width * size.height) / template.imageTokenPixels ** 2);
    }
    const held = [...hot, ...state.heldBy(tenant, session)];
    return describeTree(tenant, held, state.tree, { images, bytesOf });
  }

  async stats(): Promise<EngineStats> {
    const { cache, totals, plans, runningCount, waitingCount } = this.#scheduler;
    const { controller, disk } = this.#parts.state;
    return {
      encoderCalls: this.#encodes.encoderCalls,
      running: runningCount,
      waiting: waitingCount,
      idleSequences: cache.idleCount,
      droppedSequences: cache.droppedSequences,
      kvCellsUsed: cache.ledger.used,
      kvCellsTotal: cache.ledger.total,
      featureBytes: this.#encodes.cache.bytes,
      stateBytes: controller.ram.bytes,
      diskBytes: disk?.stats.bytes ?? 0,
      checkpoints: controller.count,
      lostCheckpoints: controller.lost,
      diskFailures: controller.writeFailures,
      refusedObjects: { ...disk?.stats.refused },
      restoredSequences: cache.restoredSequences,
      plans: { ...plans },
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
    await this.#scheduler.stop(shutDown());
    const { runner, encoder, backend, state, config } = this.#parts;
    const deadline = AbortSignal.timeout(config.suspendMs);
    if (state.disk) while (!deadline.aborted && this.#scheduler.cache.demoteIdle(0));
    await state.close(deadline);
    encoder.dispose();
    runner.dispose();
    backend.dispose();
  }

  /** Native memory that is freed would be used, and end the process. @throws engine_unavailable */
  #demandOpen(): void {
    if (this.#disposed) throw shutDown();
  }

  #render(request: GenerateRequest, addGenerationPrompt: boolean): Segment[] {
    return this.#parts.template.render(request.messages, { addGenerationPrompt, tools: request.tools });
  }

  #vectors(request: GenerateRequest): Pick<GenerateResult, 'imageVectors'> {
    const { featureWidth: width, deepstackLayers } = this.info.vision;
    const hidden = width / (1 + deepstackLayers);
    const space = vectorSpace(this.info.model, hidden);
    const vectorOf = (features: Float32Array): Uint8Array => imageVector(features, { hidden, width });
    const imageVectors = this.#encodes.vectorsOf(request.tenant, imagesOf(request), { space, vectorOf });
    return imageVectors.length > 0 ? { imageVectors } : {};
  }

  /** Counts and times, never content. */
  #log(
    { traceparent }: GenerateRequest,
    { text: _, tokens: __, toolCalls, ...result }: GenerateResult,
  ): void {
    const { usage, timings, finishReason } = result;
    const fields = { ...usage, ...timings, finishReason, toolCalls: toolCalls.length };
    this.#parts.logger.debug({ ...(traceparent && { traceparent }), ...fields }, 'engine: answered');
  }

  #submit(
    request: GenerateRequest,
    prompt: readonly Segment[],
    { maxOutputTokens, sampling, gbnf }: Answering,
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
    const grammar =
      gbnf === undefined ? undefined : createGrammarSampler(native.llama, runner.vocabulary, gbnf);
    const shared = this.#parts.state.claim(request, prompt);
    // A request without a session may have had them made.
    for (const key of images.keys()) void this.#encodes.persist(request.tenant, key);
    return this.#scheduler.submit({
      tenant: request.tenant,
      session: request.session,
      prompt,
      promptCells: totalCells(prompt),
      maxOutputTokens,
      shared,
      images,
      sampler:
        sampling && createSampler(native.llama, sampling, runner.vocabulary.size, maxOutputTokens, grammar),
      output,
      ...ending,
    });
  }
}

const shutDown = () => failure('engine_unavailable', { reason: 'it was shut down' });
