import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { AfterimageError } from '../../core/errors.ts';
import type { InferencePort } from '../../core/inference.ts';
import { within } from '../../core/within.ts';
import type { SessionManager } from '../../session/sessionManager.ts';
import type { ResponseView } from '../../session/view.ts';
import type { TurnObserver } from '../parts.ts';
import { EngineMetrics } from './engineMetrics.ts';
import { SessionMetrics } from './sessionMetrics.ts';

/** What can be asked how it is when the metrics are read. Nothing of it is called at any other time. */
export interface MetricSources {
  readonly engine: Pick<InferencePort, 'stats'>;
  readonly sessions: Pick<SessionManager, 'stats'>;
}

/** A source that takes longer is left out of the reply. */
const sourceTimeoutMs = 1_000;

const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const waitSeconds = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/**
 * Everything that is measured, in a registry of its own; `docs/metrics.md` lists it. No label holds a tenant, key or id: they
 * would tell one tenant of others, and grow without bound.
 */
export class GatewayMetrics implements TurnObserver {
  readonly registry = new Registry();
  readonly #engine = new EngineMetrics(this.registry);
  readonly #sessions = new SessionMetrics(this.registry);
  readonly #requests = new Counter({
    name: 'afterimage_http_requests_total',
    help: 'Requests by method, documented path and status.',
    labelNames: ['method', 'route', 'status'],
    registers: [this.registry],
  });
  readonly #requestSeconds = new Histogram({
    name: 'afterimage_http_request_duration_seconds',
    help: 'From the first byte of a request to the last of its reply, streams included.',
    labelNames: ['method', 'route'],
    buckets: requestSeconds,
    registers: [this.registry],
  });
  readonly #turns = new Counter({
    name: 'afterimage_turns_total',
    help: 'Turns that ended, by the status of their response or the code of the error that kept them from one.',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly #tokens = new Counter({
    name: 'afterimage_tokens_total',
    help: 'Tokens of turns: of prompts computed, of prompts reused, of answers.',
    labelNames: ['kind'],
    registers: [this.registry],
  });
  readonly #pictures = new Counter({
    name: 'afterimage_pictures_total',
    help: 'Pictures in prompts of turns: encoded for the turn, or reused from before.',
    labelNames: ['kind'],
    registers: [this.registry],
  });
  readonly #tiers = new Counter({
    name: 'afterimage_turns_by_tier_total',
    help: 'Turns by the tier their state came from.',
    labelNames: ['tier'],
    registers: [this.registry],
  });
  readonly #firstTokenSeconds = new Histogram({
    name: 'afterimage_turn_first_token_seconds',
    help: 'From the arrival of a turn at the engine to its first token.',
    buckets: waitSeconds,
    registers: [this.registry],
  });
  readonly #queueSeconds = new Histogram({
    name: 'afterimage_turn_queue_seconds',
    help: 'How long a turn waited inside the engine before work on it began.',
    buckets: waitSeconds,
    registers: [this.registry],
  });
  readonly #encodeSeconds = new Histogram({
    name: 'afterimage_turn_encode_seconds',
    help: 'Vision encoding of a turn that had to encode pictures.',
    buckets: waitSeconds,
    registers: [this.registry],
  });
  readonly #loadSeconds = new Histogram({
    name: 'afterimage_turn_load_seconds',
    help: 'Bringing the state of a turn back into the attention cache, of turns that needed it.',
    buckets: waitSeconds,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  requestEnded(request: { method: string; route: string; status: number; seconds: number }): void {
    const { method, route, status, seconds } = request;
    this.#requests.inc({ method, route, status });
    this.#requestSeconds.observe({ method, route }, seconds);
  }

  finished({ status, result }: ResponseView): void {
    this.#turns.inc({ outcome: status });
    // Nothing was generated, as when a turn only warmed the cache.
    if (result === null) return;
    const { usage, timings, tier } = result;
    this.#tokens.inc({ kind: 'computed' }, usage.promptTokens - usage.reusedTokens);
    this.#tokens.inc({ kind: 'reused' }, usage.reusedTokens);
    this.#tokens.inc({ kind: 'output' }, usage.outputTokens);
    this.#pictures.inc({ kind: 'encoded' }, usage.imagesEncoded);
    this.#pictures.inc({ kind: 'reused' }, usage.imagesReused);
    this.#tiers.inc({ tier });
    this.#firstTokenSeconds.observe(timings.firstTokenMs / 1_000);
    this.#queueSeconds.observe(timings.queuedMs / 1_000);
    if (usage.imagesEncoded > 0) this.#encodeSeconds.observe(timings.encodeMs / 1_000);
    if (timings.loadMs) this.#loadSeconds.observe(timings.loadMs / 1_000);
  }

  failed(error: unknown): void {
    this.#turns.inc({ outcome: error instanceof AfterimageError ? error.code : 'stopped' });
  }

  /** The text exposition format. A source that doesn't answer leaves its metrics out and says so in `afterimage_engine_up` or `afterimage_store_up`. */
  async expose({ engine, sessions }: MetricSources): Promise<{ contentType: string; text: string }> {
    const [engineStats, sessionStats] = await Promise.all([
      inTime(engine.stats(), sourceTimeoutMs),
      inTime(sessions.stats(), sourceTimeoutMs),
    ]);
    this.#engine.set(engineStats);
    this.#sessions.set(sessionStats);
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }
}

/** Undefined when it fails or takes longer: a dead engine must not hide the other metrics. */
function inTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return within(
    promise.catch(() => undefined),
    ms,
  );
}
