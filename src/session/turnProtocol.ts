import { failure } from '../core/errors.ts';
import { idempotencyKeyMs, idleTtlFor } from './config.ts';
import { EarlierReplies, type EarlierReply } from './earlierReplies.ts';
import { newSession } from './ids.ts';
import { type LiveTurn, sessionKey, type TurnEvent } from './liveTurn.ts';
import { abandonTurn, beginTurn, commitTurn, newRecord } from './recordEdits.ts';
import { replay } from './replay.ts';
import { keyPointerId, rootPointerId } from './replyPointers.ts';
import { runDraft } from './runDraft.ts';
import type { OpenSession } from './sessionStore.ts';
import { draftTurn, type TurnDraft } from './turnDraft.ts';
import { endOf, finishedEvent } from './turnEnd.ts';
import type { TurnParts } from './turnParts.ts';
import { baseOf, checkTurnRequest, type TurnBase, turnDigest } from './turnRequest.ts';
import { startedView } from './turnResult.ts';
import { runUnstored } from './unstoredTurn.ts';

interface Plan {
  readonly session: string;
  readonly base: TurnBase | undefined;
  readonly requestDigest: string;
  readonly pointerId: string | null;
  /** Of the pointer as it was looked at; 0: there was none. */
  readonly pointerVersion: number;
}

/**
 * One turn, from request to committed reply:
 *
 *     lease - hold pictures - claim reply pointer - intent - `started` - generate - commit - `finished`
 *
 * Intent and commit are one durable compare-and-set each on the session's record, so of two turns on one version one commits.
 * What ends before the commit leaves the version as it was. The lease only spares the work of a turn that would lose; it makes
 * the turns of a session run one after the other, branches of a tree too.
 */
export class TurnProtocol {
  readonly #parts: TurnParts;
  readonly #earlier: EarlierReplies;

  constructor(parts: TurnParts) {
    this.#parts = parts;
    this.#earlier = new EarlierReplies(parts);
  }

  /** Appends the turn's events to its log. @throws whatever keeps it from a committed reply */
  async run(turn: LiveTurn): Promise<void> {
    const { tenant, request } = turn;
    const { leases, config, live, pointers } = this.#parts;
    checkTurnRequest(request);
    if (request.store === false) return runUnstored(turn, this.#parts);

    const base = baseOf(request);
    const requestDigest = turnDigest(request);
    const { idempotencyKey } = request;
    const rootPointer = base ? null : rootPointerId(requestDigest);
    const pointerId = idempotencyKey === undefined ? rootPointer : keyPointerId(idempotencyKey);
    const seen = pointerId === null ? undefined : await pointers.find(tenant, pointerId);
    const reply = seen && (await this.#earlier.behindPointer(turn, seen.pointer, requestDigest));
    if (reply) return this.#replay(turn, reply);

    const session = base?.session ?? newSession();
    turn.session = session;
    const waitMs = base?.type === 'response' ? config.branchWaitMs : config.leaseWaitMs;
    const release = await leases.acquire(sessionKey(tenant, session), waitMs, turn.signal);
    if (!release) throw failure('session_busy', {});
    let last: TurnEvent | EarlierReply;
    try {
      const plan = { session, base, requestDigest, pointerId, pointerVersion: seen?.version ?? 0 };
      last = await this.#runLeased(turn, plan);
    } finally {
      live.unplace(turn);
      release();
    }
    // After the lease: who reads the last event may begin the next turn at once.
    if (last.type === 'reply') this.#replay(turn, last);
    else turn.log.append(last);
  }

  async #runLeased(turn: LiveTurn, plan: Plan): Promise<TurnEvent | EarlierReply> {
    const { tenant, request } = turn;
    const { session, base, requestDigest, pointerId: pointer } = plan;
    const { sessions, intents, clock, failpoint, live } = this.#parts;
    await failpoint('leased');
    const read = await this.#open(turn, plan);
    const before = intents.settled(tenant, read.record);
    if (pointer === null && (request.retryCount ?? 0) > 0) {
      const reply = this.#earlier.inRecord(before, requestDigest, read.expiresAtMs);
      if (reply) return reply;
    }
    const parts = { ...this.#parts, requestDigest, pointer, nowMs: clock.nowMs() };
    const draft = await draftTurn({ tenant, request, base }, before, parts);
    turn.signal.throwIfAborted();
    live.place(turn, session, draft.response.serial);
    await sessions.hold(tenant, session, draft.toHold);
    let begun: OpenSession;
    try {
      await failpoint('pictures-held');
      begun = await this.#begin(turn, read, draft, plan);
    } catch (error) {
      await this.#tidy(() => sessions.letGo(tenant, session, draft.toHold));
      throw error;
    }
    try {
      return await this.#answer(turn, begun, draft);
    } catch (error) {
      const ended = await this.#tidy(() => this.#abandon(turn, begun, error, base === undefined));
      if (ended) return ended;
      throw error;
    }
  }

  async #open({ tenant, request }: LiveTurn, { session, base }: Plan): Promise<OpenSession> {
    const { sessions, clock, config } = this.#parts;
    const idleTtlMs = idleTtlFor(config, tenant, request.idleTtlMs);
    if (!base) {
      const record = newRecord(session, { nowMs: clock.nowMs(), idleTtlMs, conversation: null });
      return sessions.fresh(tenant, record);
    }
    const found = await sessions.get(tenant, session, base.type, base.id);
    const { record } = found;
    return request.idleTtlMs !== undefined && idleTtlMs < record.idleTtlMs
      ? { ...found, record: { ...record, idleTtlMs } }
      : found;
  }

  async #begin(
    { tenant, request }: LiveTurn,
    read: OpenSession,
    { record, response }: TurnDraft,
    { session, requestDigest, pointerId, pointerVersion }: Plan,
  ): Promise<OpenSession> {
    const { sessions, pointers, clock, intents, config, failpoint } = this.#parts;
    const { owner } = intents;
    const deadlineMs = clock.nowMs() + config.maxTurnMs;
    if (pointerId !== null) {
      const byKey = request.idempotencyKey !== undefined;
      const pointer = { requestDigest, session, serial: response.serial, owner, deadlineMs };
      const ttlMs = byKey ? idempotencyKeyMs : config.maxTurnMs + config.retryWindowMs;
      const claimed = await pointers.claim(tenant, pointerId, pointerVersion, pointer, ttlMs);
      // Two people may start a session with the same words at once; their retries find one of the two.
      const mayShare = !byKey && (request.retryCount ?? 0) === 0;
      if (!claimed && !mayShare) throw failure('idempotency_in_progress', {});
      await failpoint('pointer-claimed');
    }
    const next = beginTurn(record, { owner, deadlineMs, response });
    // Idle time starts when the turn ends: until its deadline and a life beyond, no sweep takes the session.
    const expiresAtMs = deadlineMs + next.idleTtlMs;
    const begun = await sessions.save(read, next, { expiresAtMs, maxBytes: config.maxRecordBytes });
    if (!begun) throw failure('version_conflict', {});
    return begun;
  }

  async #answer(turn: LiveTurn, begun: OpenSession, draft: TurnDraft): Promise<TurnEvent> {
    const { log } = turn;
    const { sessions, clock, failpoint, counters, retention } = this.#parts;
    await failpoint('intent-written');
    log.append({ type: 'started', response: startedView(begun.record, draft.response), replayed: false });
    const { response, items, vectors } = await runDraft(turn, draft, this.#parts);
    await failpoint('generated');
    const next = commitTurn(begun.record, response, items, retention.keepsVectors ? vectors : []);
    const nowMs = clock.nowMs();
    const committed = await sessions.save(begun, next, { expiresAtMs: nowMs + next.idleTtlMs });
    if (!committed) throw failure('version_conflict', {});
    counters.commits++;
    await failpoint('committed');
    retention.ended(turn, next);
    return finishedEvent(committed);
  }

  /**
   * Takes the intent back, unless the record has changed since. A background turn stays as what became of it, and the event
   * that says so is returned.
   */
  async #abandon(
    turn: LiveTurn,
    begun: OpenSession,
    error: unknown,
    isNew: boolean,
  ): Promise<TurnEvent | undefined> {
    const { request } = turn;
    const { sessions, clock, counters, retention } = this.#parts;
    if (isNew && !request.background) {
      if (await sessions.remove(begun)) counters.abandoned++;
      return undefined;
    }
    const nowMs = clock.nowMs();
    const next = abandonTurn(begun.record, { ...endOf(error), completedAtMs: nowMs });
    const ended = await sessions.save(begun, next, { expiresAtMs: nowMs + next.idleTtlMs });
    if (!ended) return undefined;
    counters.abandoned++;
    retention.ended(turn, next);
    return request.background ? finishedEvent(ended) : undefined;
  }

  /** Clears up after an error that the caller is told of; what fails here besides is not theirs. */
  async #tidy<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#parts.onProblem(error);
      return undefined;
    }
  }

  #replay(turn: LiveTurn, reply: EarlierReply): void {
    this.#parts.counters.replays++;
    replay(turn, reply);
  }
}
