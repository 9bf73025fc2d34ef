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
import { toWireRequest } from '../engine/ipc/wireRequest.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { EngineChild, type EngineChildOptions } from './engineChild.ts';
import type { PendingCall } from './pendingCall.ts';
import { PoisonList } from './poisonList.ts';
import { requestDigest } from './requestDigest.ts';
import { untilAborted } from './untilAborted.ts';

export interface EngineProcessOptions extends EngineChildOptions {
  /** Waits between a death and the next start. Default: none, then 250 ms doubling to 30 s. */
  readonly backoff?: BackoffOptions;
  /** How long a request waits for an engine that is starting. Default 60 s. */
  readonly restartWaitMs?: number;
  /** How long an engine that is shut down may take before it is killed. Default 2 s. */
  readonly shutdownGraceMs?: number;
}

interface Running {
  readonly child: EngineChild;
  readonly info: EngineInfo;
}

/** Starts in a row that may die before the first one was ever ready. */
const maxFirstStarts = 5;
const defaultShutdownGraceMs = 2_000;

/**
 * An inference port in a process of its own, started by the constructor and again whenever it dies: native code that
 * crashes takes its running requests with it (`engine_unavailable`), nothing else. Requests wait for a restart.
 *
 * Counters in `stats` are those of the present process, so they begin again at 0 when `restarts` grows.
 * A start that the child itself reports as failed is final: the error is thrown by every call from then on.
 */
export class EngineProcess implements InferencePort {
  readonly #options: EngineProcessOptions;
  readonly #backoff: Backoff;
  readonly #poison = new PoisonList();
  /** Settled while an engine is ready or never will be; a new one takes its place when a ready engine dies. */
  #up = Promise.withResolvers<Running>();
  #child: EngineChild | undefined;
  #isReady = false;
  #wasEverReady = false;
  #deathsBeforeReady = 0;
  #restarts = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #isFinal = false;
  #disposed: Promise<void> | undefined;

  constructor(options: EngineProcessOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    this.#expectStart();
    this.#start();
  }

  /** Process id of the engine, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Waits as long as the engine needs to load. */
  async ready(): Promise<EngineInfo> {
    return (await this.#up.promise).info;
  }

  async *generate(
    request: GenerateRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    const { call, digest } = await this.#call('generate', request, signal);
    try {
      for await (const reply of call.replies) {
        if (reply.type === 'delta') yield { type: 'delta', text: reply.text };
        else if (reply.type === 'toolCall') yield { type: 'toolCall', call: reply.call };
        else if (reply.type === 'done') {
          this.#poison.succeeded(digest);
          this.#backoff.succeeded();
          yield { type: 'done', result: reply.result };
        }
      }
    } finally {
      call.abort(undefined);
    }
  }

  async prewarm(request: GenerateRequest, { signal }: { signal?: AbortSignal } = {}): Promise<PrewarmResult> {
    const { call } = await this.#call('prewarm', request, signal);
    return (await call.reply('prewarmed')).result;
  }

  async countTokens(request: GenerateRequest): Promise<PromptCount> {
    const { call } = await this.#call('countTokens', request, undefined);
    return (await call.reply('count')).count;
  }

  async forget(tenant: string, session?: string): Promise<void> {
    const { child } = await this.#available();
    await child.call({ type: 'forget', tenant, session }).reply('finished');
  }

  async heldSessions(): Promise<readonly HeldSession[]> {
    const { child } = await this.#available();
    return (await child.call({ type: 'heldSessions' }).reply('sessions')).sessions;
  }

  async keepsFeatures(tenant: string, { digest, width, height }: ImageName): Promise<boolean> {
    const { child } = await this.#available();
    const image = { digest, width, height };
    return (await child.call({ type: 'keepsFeatures', tenant, image }).reply('kept')).kept;
  }

  async stateTree(tenant: string, session: string): Promise<readonly StateNode[]> {
    const { child } = await this.#available();
    return (await child.call({ type: 'stateTree', tenant, session }).reply('nodes')).nodes;
  }

  async stats(): Promise<EngineStats> {
    const { child } = await this.#available();
    const { stats } = await child.call({ type: 'stats' }).reply('stats');
    return { ...stats, restarts: this.#restarts };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#stop();
    return this.#disposed;
  }

  /** @throws AfterimageError `poison_request`, and whatever `#available` throws. */
  async #call(
    type: 'generate' | 'prewarm' | 'countTokens',
    request: GenerateRequest,
    signal: AbortSignal | undefined,
  ): Promise<{ call: PendingCall; digest: string }> {
    signal?.throwIfAborted();
    const digest = requestDigest(request);
    this.#poison.check(digest);
    const { child } = await this.#available(signal);
    const call = child.call({ type, request: toWireRequest(request) }, request);
    if (signal) call.abortOn(signal);
    return { call, digest };
  }

  async #available(signal?: AbortSignal): Promise<Running> {
    const { restartWaitMs = 60_000 } = this.#options;
    const tooLong = new AbortController();
    const timer = setTimeout(() => {
      tooLong.abort(failure('engine_unavailable', { reason: `it was not back within ${restartWaitMs} ms` }));
    }, restartWaitMs);
    const signals = signal ? [signal, tooLong.signal] : [tooLong.signal];
    try {
      return await untilAborted(this.#up.promise, AbortSignal.any(signals));
    } finally {
      clearTimeout(timer);
    }
  }

  #start(): void {
    const child = new EngineChild(this.#options, {
      ready: (info) => {
        this.#isReady = true;
        this.#wasEverReady = true;
        this.#options.logger.info({ pid: child.pid, restarts: this.#restarts }, 'engine process: ready');
        this.#up.resolve({ child, info });
      },
      failed: (error) => {
        this.#giveUp(error);
        child.kill();
      },
      exited: (reason, open) => this.#died(reason, open),
    });
    this.#child = child;
  }

  #died(reason: string, open: readonly PendingCall[]): void {
    this.#child = undefined;
    if (this.#isFinal) return;
    for (const digest of new Set(open.flatMap(({ request }) => (request ? [requestDigest(request)] : [])))) {
      this.#poison.engineDiedWith(digest);
    }
    if (this.#isReady) this.#expectStart();
    else if (!this.#wasEverReady && ++this.#deathsBeforeReady >= maxFirstStarts) {
      const times = `its process died ${maxFirstStarts} times while starting, last of ${reason}`;
      this.#giveUp(failure('engine_start_failed', { reason: times }));
      return;
    }
    const delayMs = this.#backoff.next();
    this.#options.logger.error(
      { reason, delayMs, openCalls: open.length },
      'engine process: died, restarting',
    );
    this.#restartTimer = setTimeout(() => {
      this.#restarts++;
      this.#start();
    }, delayMs);
  }

  #expectStart(): void {
    this.#isReady = false;
    this.#up = Promise.withResolvers<Running>();
    // Whoever waits gets the error; there may be nobody.
    this.#up.promise.catch(() => {});
  }

  #giveUp(error: Error): void {
    this.#isFinal = true;
    if (this.#isReady) this.#expectStart();
    this.#up.reject(error);
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    if (!this.#isFinal) this.#giveUp(failure('engine_unavailable', { reason: 'it was shut down' }));
    await this.#child?.stop(this.#options.shutdownGraceMs ?? defaultShutdownGraceMs);
  }
}
