import { failure } from '../core/errors.ts';
import type { SessionConfig } from './config.ts';
import type { Intents } from './intents.ts';
import type { LiveTurn } from './liveTurn.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import type { ReplyPointer } from './replyPointers.ts';
import type { SessionStore } from './sessionStore.ts';
import type { SteadyClock } from './steadyClock.ts';

/** A committed reply to the same request. */
export interface EarlierReply {
  readonly type: 'reply';
  readonly record: SessionRecord;
  readonly response: ResponseRecord;
  readonly expiresAtMs: number;
}

/**
 * Finds the reply a client may have missed. With an idempotency key that is what was committed under the key. Without one it is
 * what was committed for an equal request a short while ago, and only when the client says that it retries: two people may
 * well ask the same thing.
 */
export class EarlierReplies {
  readonly #sessions: SessionStore;
  readonly #intents: Intents;
  readonly #clock: SteadyClock;
  readonly #config: SessionConfig;

  constructor(parts: {
    sessions: SessionStore;
    intents: Intents;
    clock: SteadyClock;
    config: SessionConfig;
  }) {
    this.#sessions = parts.sessions;
    this.#intents = parts.intents;
    this.#clock = parts.clock;
    this.#config = parts.config;
  }

  /**
   * Undefined: the turn is to be run, for the first time or once more because it was interrupted.
   * @throws idempotency_key_reused, idempotency_in_progress
   */
  async behindPointer(
    { tenant, request }: LiveTurn,
    pointer: ReplyPointer,
    requestDigest: string,
  ): Promise<EarlierReply | undefined> {
    const { idempotencyKey, retryCount = 0 } = request;
    const byKey = idempotencyKey !== undefined;
    if (!byKey && retryCount === 0) return undefined;
    if (pointer.requestDigest !== requestDigest) throw failure('idempotency_key_reused', {});
    // Asked before the record is read: a turn that ends in between has then left its reply there.
    if (this.#intents.runs(tenant, pointer)) throw failure('idempotency_in_progress', {});
    const found = await this.#sessions.find(tenant, pointer.session);
    const response = found?.record.responses.find(
      ({ serial, requestDigest: digest }) => serial === pointer.serial && digest === requestDigest,
    );
    if (!found || !response) return undefined;
    if (!byKey && !this.#isRecent(response)) return undefined;
    return { type: 'reply', record: found.record, response, expiresAtMs: found.expiresAtMs };
  }

  /** For an unkeyed retry of a turn on this session, its lease held. */
  inRecord(record: SessionRecord, requestDigest: string, expiresAtMs: number): EarlierReply | undefined {
    const response = record.responses.findLast(
      (candidate) => candidate.requestDigest === requestDigest && this.#isRecent(candidate),
    );
    return response && { type: 'reply', record, response, expiresAtMs };
  }

  #isRecent({ status, completedAtMs }: ResponseRecord): boolean {
    if (completedAtMs === null || (status !== 'completed' && status !== 'incomplete')) return false;
    return this.#clock.nowMs() - completedAtMs <= this.#config.retryWindowMs;
  }
}
