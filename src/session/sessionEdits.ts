import { failure } from '../core/errors.ts';
import type { SessionConfig } from './config.ts';
import type { Counters } from './counters.ts';
import type { Intents } from './intents.ts';
import type { KeyedLease } from './lease.ts';
import { sessionKey } from './liveTurn.ts';
import type { SessionRecord } from './record.ts';
import type { Removed } from './sessionEnds.ts';
import type { OpenSession, SessionStore } from './sessionStore.ts';
import type { SteadyClock } from './steadyClock.ts';

/** Other edits are short; a turn is not, and then the edit is refused. */
const editWaitMs = 1_000;

export interface EditParts {
  readonly sessions: SessionStore;
  readonly intents: Intents;
  readonly leases: KeyedLease;
  readonly clock: SteadyClock;
  readonly config: SessionConfig;
  readonly counters: Counters;
}

export interface SessionName {
  readonly session: string;
  readonly object: 'response' | 'conversation' | 'session';
  /** As the client named it, for the error. */
  readonly id: string;
}

/** Changes of a session that are no turns. They take the same lease, and each begins the session's idle time anew. */
export class SessionEdits {
  readonly #parts: EditParts;

  constructor(parts: EditParts) {
    this.#parts = parts;
  }

  /**
   * Saves what `edit` makes of the record; removes the session when that is undefined, saves nothing when it is the same.
   * @throws not_found, session_expired, session_busy, version_conflict, and what `edit` throws
   */
  async change(
    tenant: string,
    { session, object, id }: SessionName,
    edit: (record: SessionRecord) => Promise<SessionRecord | undefined> | SessionRecord | undefined,
  ): Promise<{ record: SessionRecord; removed?: Removed }> {
    const { sessions, intents, leases, clock, config, counters } = this.#parts;
    const release = await leases.acquire(sessionKey(tenant, session), editWaitMs);
    if (!release) throw failure('session_busy', {});
    try {
      const read: OpenSession = await sessions.get(tenant, session, object, id);
      const before = intents.settled(tenant, read.record);
      const next = await edit(before);
      if (next === before) return { record: before };
      if (!next) {
        const removed = await sessions.remove(read);
        if (!removed) throw failure('version_conflict', {});
        counters.sessionsDeleted++;
        return { record: before, removed };
      }
      // A commit may have gone past the limit: what takes something away is always let through.
      const grows = next.items.length > before.items.length;
      const maxBytes = grows ? config.maxRecordBytes : Number.POSITIVE_INFINITY;
      const limits = { expiresAtMs: clock.nowMs() + next.idleTtlMs, maxBytes };
      if (!(await sessions.save(read, next, limits))) throw failure('version_conflict', {});
      return { record: next };
    } finally {
      release();
    }
  }
}
