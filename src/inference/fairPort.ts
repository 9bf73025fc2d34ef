import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type {
  EngineInfo,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  HeldSession,
  ImageName,
  PrewarmResult,
  PromptCount,
  StateNode,
} from '../core/request.ts';
import { validateRequest } from '../core/validateRequest.ts';
import { FairSlots, type FairSlotsOptions } from './fairSlots.ts';

/**
 * An inference port whose tenants take turns: at most `maxRunning` generates and prewarms are with the engine behind it, the
 * others wait here. The wait counts as queued in the timings of their results. Owns the engine: it is disposed with this.
 */
export class FairPort implements InferencePort {
  readonly #engine: InferencePort;
  readonly #slots: FairSlots;
  readonly #life = new AbortController();

  constructor(engine: InferencePort, options: FairSlotsOptions) {
    this.#engine = engine;
    this.#slots = new FairSlots(options);
  }

  ready(): Promise<EngineInfo> {
    return this.#engine.ready();
  }

  async *generate(
    request: GenerateRequest,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    const arrivedAt = performance.now();
    const release = await this.#take(request, options.signal);
    const waitedMs = performance.now() - arrivedAt;
    try {
      for await (const event of this.#engine.generate(request, options)) {
        yield event.type === 'done' ? withWait(event, waitedMs) : event;
      }
    } finally {
      release();
    }
  }

  async prewarm(request: GenerateRequest, options: { signal?: AbortSignal } = {}): Promise<PrewarmResult> {
    const release = await this.#take(request, options.signal);
    try {
      return await this.#engine.prewarm(request, options);
    } finally {
      release();
    }
  }

  countTokens(request: GenerateRequest): Promise<PromptCount> {
    return this.#engine.countTokens(request);
  }

  forget(tenant: string, session?: string): Promise<void> {
    return this.#engine.forget(tenant, session);
  }

  heldSessions(): Promise<readonly HeldSession[]> {
    return this.#engine.heldSessions();
  }

  keepsFeatures(tenant: string, image: ImageName): Promise<boolean> {
    return this.#engine.keepsFeatures(tenant, image);
  }

  stateTree(tenant: string, session: string): Promise<readonly StateNode[]> {
    return this.#engine.stateTree(tenant, session);
  }

  async stats(): Promise<EngineStats> {
    const stats = await this.#engine.stats();
    return { ...stats, waiting: stats.waiting + this.#slots.waiting };
  }

  async dispose(): Promise<void> {
    this.#life.abort(failure('engine_unavailable', { reason: 'it was shut down' }));
    await this.#engine.dispose();
  }

  #take(request: GenerateRequest, signal: AbortSignal | undefined): Promise<() => void> {
    // What is wrong with the request is told before it waits.
    validateRequest(request);
    const life = this.#life.signal;
    return this.#slots.take(request.tenant, signal ? AbortSignal.any([signal, life]) : life);
  }
}

function withWait(event: Extract<GenerateEvent, { type: 'done' }>, waitedMs: number): GenerateEvent {
  const { timings } = event.result;
  const { queuedMs, firstTokenMs } = timings;
  const waited = { queuedMs: queuedMs + waitedMs, firstTokenMs: firstTokenMs + waitedMs };
  return { ...event, result: { ...event.result, timings: { ...timings, ...waited } } };
}
