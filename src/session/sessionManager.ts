import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../core/clock.ts';
import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type { PromptCount } from '../core/request.ts';
import { within } from '../core/within.ts';
import type { Store } from '../store/port.ts';
import { BackgroundLogs } from './backgroundLogs.ts';
import { BlobHolders } from './blobHolders.ts';
import { Catalogue } from './catalogue.ts';
import { defaultSessionConfig, type SessionConfig } from './config.ts';
import { Conversations } from './conversations.ts';
import { type Counters, newCounters } from './counters.ts';
import { countInput } from './countInput.ts';
import { EngineMemory } from './engineMemory.ts';
import { LogReader } from './eventLog.ts';
import { Files } from './files.ts';
import { FileVault } from './fileVault.ts';
import { responseIdOf } from './ids.ts';
import { Intents } from './intents.ts';
import { KeyedLease } from './lease.ts';
import { LiveTurn, LiveTurns, TurnCancelled, type TurnEvent } from './liveTurn.ts';
import type { PictureIntake } from './pictureIntake.ts';
import { Pictures } from './pictures.ts';
import { PixelRetention } from './pixelRetention.ts';
import { ReplyPointers } from './replyPointers.ts';
import { Responses } from './responses.ts';
import { SessionEdits } from './sessionEdits.ts';
import { SessionEnds } from './sessionEnds.ts';
import { SessionRemoval } from './sessionRemoval.ts';
import { SessionStore } from './sessionStore.ts';
import { SteadyClock } from './steadyClock.ts';
import { Sweeper } from './sweeper.ts';
import { Tombstones } from './tombstones.ts';
import type { Failpoint, TurnParts } from './turnParts.ts';
import { TurnProtocol } from './turnProtocol.ts';
import type { TurnRequest } from './turnRequest.ts';
import { UploadSeal } from './uploadSeal.ts';

export interface SessionManagerOptions {
  /** Stays the caller's. */
  readonly store: Store;
  /** Stays the caller's. */
  readonly engine: InferencePort;
  readonly intake: PictureIntake;
  /** 32 bytes that uploads are sealed under; left out, they lie in clear. */
  readonly uploadKey?: Uint8Array;
  readonly config?: Partial<SessionConfig>;
  readonly clock?: Clock;
  readonly failpoint?: Failpoint;
  /** Something went wrong that no caller can be told of. */
  readonly onProblem: (error: unknown) => void;
}

export interface SessionStats extends Readonly<Counters> {
  /** Stored sessions, of all tenants, those included that expired since the last sweep. */
  readonly sessions: number;
  readonly runningTurns: number;
  readonly eventLogBytes: number;
  readonly cachedPixelBytes: number;
  /** On disk, by area of the blob store: pictures and other uploads, and what is made from them. */
  readonly blobBytes: Readonly<Record<string, number>>;
}

/** Owns all sessions of a store: their turns, their life and their end. */
export class SessionManager {
  readonly responses: Responses;
  readonly conversations: Conversations;
  readonly files: Files;
  readonly sessions: Catalogue;
  readonly #store: Store;
  readonly #turnParts: TurnParts;
  readonly #protocol: TurnProtocol;
  readonly #sessions: SessionStore;
  readonly #pictures: Pictures;
  readonly #retention: PixelRetention;
  readonly #memory: EngineMemory;
  readonly #sweeper: Sweeper;
  readonly #logs: BackgroundLogs;
  readonly #live = new LiveTurns();
  readonly #counters = newCounters();
  #draining = false;

  constructor(options: SessionManagerOptions) {
    const { store, engine, intake, uploadKey, onProblem, failpoint = () => {} } = options;
    const config = { ...defaultSessionConfig, ...options.config };
    const clock = new SteadyClock(options.clock ?? systemClock);
    const live = this.#live;
    const counters = this.#counters;
    const logs = new BackgroundLogs(config.eventLogBytes);
    const { records } = store;
    const blobs = new BlobHolders({
      store,
      clock,
      seal: uploadKey && new UploadSeal(uploadKey),
      unheldMs: config.unheldMs,
      onFreed: (tenant, blobId) => this.#pictures.drop(tenant, blobId),
    });
    const vault = new FileVault(store, blobs, clock);
    const pictures = new Pictures(intake, blobs, vault, config.pixelCacheBytes);
    const pointers = new ReplyPointers(records, clock);
    const memory = new EngineMemory({
      engine,
      isAlive: async (tenant, session) => (await sessions.find(tenant, session)) !== undefined,
      onProblem,
    });
    const onGone = (tenant: string, session: string) => {
      logs.dropSession(tenant, session);
      return memory.forget(tenant, session);
    };
    const tombstones = new Tombstones(records, clock);
    const ends = new SessionEnds({ records, blobs, pointers, tombstones, clock, onGone, onProblem });
    const sessions = new SessionStore({ records, blobs, ends, tombstones, clock });
    const intents = new Intents(randomUUID(), live, clock, config);
    const shared = { sessions, intents, leases: new KeyedLease(), clock, config, counters };
    const edits = new SessionEdits(shared);
    const removal = new SessionRemoval(edits, live);
    this.#retention = new PixelRetention({ retention: config.retention, engine, blobs, live, onProblem });
    this.#turnParts = {
      ...shared,
      engine,
      pictures,
      retention: this.#retention,
      pointers,
      live,
      failpoint,
      onProblem,
    };
    this.#protocol = new TurnProtocol(this.#turnParts);
    this.sessions = new Catalogue(sessions, removal);
    this.responses = new Responses({ sessions, edits, intents, live, logs });
    this.conversations = new Conversations(shared, edits, pictures, removal);
    this.files = new Files(vault, blobs, pictures, config);
    this.#sweeper = new Sweeper({ ends, tombstones, vault, blobs, pointers, config, counters, onProblem });
    this.#store = store;
    this.#sessions = sessions;
    this.#memory = memory;
    this.#pictures = pictures;
    this.#logs = logs;
  }

  /** Begins to sweep. Turns that a dead process left are noticed by whoever reads their session next. */
  start(): void {
    this.#sweeper.start();
    // In the background: the engine may take its time to start.
    void this.#memory.check();
  }

  /**
   * Begins a turn at once. Its events come as they happen; whatever keeps it from a committed reply is thrown by the iterator,
   * before the first event if nothing was begun. Leaving the iteration or aborting the signal stops the turn, unless it runs in
   * the background. The reader doesn't hold the turn up.
   */
  respond(
    tenant: string,
    request: TurnRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncIterableIterator<TurnEvent> {
    const turn = new LiveTurn(tenant, request);
    if (this.#draining) turn.log.fail(failure('draining', {}));
    else turn.done = this.#run(turn, request.background ? undefined : signal);
    return new LogReader(turn.log, 0, () => {
      if (!request.background) turn.abort(new TurnCancelled('the reader left'));
    });
  }

  /** What the prompt of such a turn would take; nothing is written. @throws what such a turn is refused with, but for its length */
  countInput(tenant: string, request: TurnRequest): Promise<PromptCount> {
    return countInput(tenant, request, this.#turnParts);
  }

  /** Takes no new turns, waits for those that run, and stops what is left after `budgetMs`. Idempotent. */
  async stop(budgetMs: number): Promise<void> {
    this.#draining = true;
    this.#sweeper.stop();
    const ended = Promise.all(this.#live.all.map(({ done }) => done));
    await within(ended, budgetMs);
    for (const turn of this.#live.all) turn.abort(failure('draining', {}));
    await ended;
    await this.#sweeper.idle();
    await this.#retention.stop();
  }

  /** Removes what has expired. Runs by itself every few seconds once started. */
  sweep(): Promise<void> {
    return this.#sweeper.sweep();
  }

  async stats(): Promise<SessionStats> {
    return {
      ...this.#counters,
      sessions: await this.#sessions.count(),
      runningTurns: this.#live.size,
      eventLogBytes: this.#logs.bytes,
      cachedPixelBytes: this.#pictures.cachedBytes,
      blobBytes: await this.#store.blobs.usage(),
    };
  }

  async #run(turn: LiveTurn, signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => turn.abort(signal?.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#live.begin(turn);
    try {
      await this.#protocol.run(turn);
      turn.log.end();
    } catch (error) {
      turn.log.fail(error);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#live.end(turn);
    }
    const { tenant, request, place, log } = turn;
    if (request.background && place) this.#logs.keep(tenant, responseIdOf(place.session, place.serial), log);
  }
}
