import { failure } from '../core/errors.ts';
import type { RecordKey, Store, StoredRecord } from '../store/port.ts';
import type { BlobHolders, Hold } from './blobHolders.ts';
import { notFound } from './notFound.ts';
import type { SessionRecord } from './record.ts';
import { decodeRecord, encodeRecord } from './recordCodec.ts';
import type { ReplyPointers } from './replyPointers.ts';
import type { SteadyClock } from './steadyClock.ts';
import { Tombstones } from './tombstones.ts';

/** A session as it was read or written: the base of one compare-and-set. */
export interface OpenSession {
  readonly tenant: string;
  readonly record: SessionRecord;
  /** 0: not stored yet. */
  readonly storeVersion: number;
  readonly expiresAtMs: number;
  /** What it takes in the store, without pictures. */
  readonly recordBytes: number;
}

export interface Removed {
  readonly items: number;
  readonly responses: number;
  readonly pictures: number;
  /** Of pictures that nothing else shows. */
  readonly bytesFreed: number;
}

const kind = 'session';

/** Sessions in the store, with what hangs on them: held pictures, reply pointers, and the mark that an expired one leaves. */
export class SessionStore {
  readonly #store: Store;
  readonly #blobs: BlobHolders;
  readonly #pointers: ReplyPointers;
  readonly #clock: SteadyClock;
  readonly #tombstones: Tombstones;
  /** Never rejects. */
  readonly #onGone: (tenant: string, session: string) => Promise<void>;
  readonly #onProblem: (error: unknown) => void;

  constructor(parts: {
    store: Store;
    blobs: BlobHolders;
    pointers: ReplyPointers;
    clock: SteadyClock;
    onGone: (tenant: string, session: string) => Promise<void>;
    onProblem: (error: unknown) => void;
  }) {
    this.#store = parts.store;
    this.#blobs = parts.blobs;
    this.#pointers = parts.pointers;
    this.#clock = parts.clock;
    this.#tombstones = new Tombstones(parts.store.records, parts.clock);
    this.#onGone = parts.onGone;
    this.#onProblem = parts.onProblem;
  }

  /** Undefined when there is none; an expired one that wasn't swept yet counts as none. */
  async find(tenant: string, session: string): Promise<OpenSession | undefined> {
    const stored = await this.#store.records.get({ tenant, kind, id: session });
    if (!stored || isExpired(stored, this.#clock.nowMs())) return undefined;
    return open(stored);
  }

  /** @throws session_expired to its owner, else not_found; both name what was asked for. */
  async get(
    tenant: string,
    session: string,
    object: 'response' | 'conversation' | 'session' | 'item',
    id: string,
  ): Promise<OpenSession> {
    const found = await this.find(tenant, session);
    if (found) return found;
    const idleTtlMs = await this.#idleTtlOfExpired(tenant, session);
    if (idleTtlMs === undefined) throw notFound(object, id);
    throw failure('session_expired', { id, idleSeconds: idleTtlMs / 1000 });
  }

  /** Up to `limit` sessions of a tenant in order of their names, after one that needn't exist. Reads each record whole. */
  async list(
    tenant: string,
    { after, limit }: { after: string | undefined; limit: number },
  ): Promise<OpenSession[]> {
    const found: OpenSession[] = [];
    let afterId = after;
    while (found.length < limit) {
      const wanted = limit - found.length;
      const options = { limit: wanted, ...(afterId !== undefined && { afterId }) };
      const records = await this.#store.records.list(tenant, kind, options);
      const nowMs = this.#clock.nowMs();
      found.push(...records.filter((record) => !isExpired(record, nowMs)).map(open));
      if (records.length < wanted) break;
      afterId = records.at(-1)?.key.id;
    }
    return found;
  }

  fresh(tenant: string, record: SessionRecord): OpenSession {
    const expiresAtMs = this.#clock.nowMs() + record.idleTtlMs;
    return { tenant, record, storeVersion: 0, expiresAtMs, recordBytes: 0 };
  }

  /**
   * Replaces what was read by `next`; undefined when it was changed or removed meanwhile, and then nothing is written.
   * Pictures that `next` has no more are let go of after the write.
   * @throws session_full when the record would be larger than `maxBytes`
   */
  async save(
    base: OpenSession,
    next: SessionRecord,
    { expiresAtMs, maxBytes = Number.POSITIVE_INFINITY }: { expiresAtMs: number; maxBytes?: number },
  ): Promise<OpenSession | undefined> {
    const value = encodeRecord(next);
    if (value.length > maxBytes) throw failure('session_full', { bytes: value.length, limit: maxBytes });
    const key = { tenant: base.tenant, kind, id: next.session };
    const version = await this.#store.records.compareAndSet(key, base.storeVersion, value, expiresAtMs);
    if (version === undefined) return undefined;
    await this.#release(base.tenant, next.session, blobIdsGone(base.record, next));
    return {
      tenant: base.tenant,
      record: next,
      storeVersion: version,
      expiresAtMs,
      recordBytes: value.length,
    };
  }

  /** Holds blobs for a session that is about to show them. @throws not_found for one that must not be gone, holding none */
  async hold(
    tenant: string,
    session: string,
    blobIds: readonly string[],
    mayBeGone: ReadonlySet<string>,
  ): Promise<void> {
    for (const [index, blobId] of blobIds.entries()) {
      if (await this.#blobs.hold(tenant, blobId, `session:${session}`)) continue;
      if (mayBeGone.has(blobId)) continue;
      await this.letGo(tenant, session, blobIds.slice(0, index));
      throw notFound('picture', blobId);
    }
  }

  async #release(tenant: string, session: string, blobIds: readonly string[]): Promise<number> {
    return this.#blobs.releaseAll(holdsOf(tenant, session, blobIds));
  }

  /** Takes back holds of blobs that the stored session doesn't show. */
  async letGo(tenant: string, session: string, blobIds: readonly string[]): Promise<void> {
    const shown = new Set((await this.find(tenant, session))?.record.pictures.map(({ blobId }) => blobId));
    for (const blobId of blobIds) {
      if (!shown.has(blobId)) await this.#blobs.letGo(tenant, blobId, `session:${session}`);
    }
  }

  /** Removes all of it; undefined when it was changed meanwhile. */
  async remove({ tenant, record, storeVersion }: OpenSession): Promise<Removed | undefined> {
    const key = { tenant, kind, id: record.session };
    if (!(await this.#store.records.delete(key, storeVersion))) return undefined;
    try {
      return await this.#clearUp(tenant, record);
    } finally {
      await this.#onGone(tenant, record.session);
    }
  }

  /** Removes sessions that have expired and marks them as such, with other work between them; gives their number. */
  async sweep(limit: number, otherWork: () => Promise<unknown>): Promise<number> {
    const expired = await this.#store.records.takeExpired(kind, this.#clock.nowMs(), limit);
    const ended = expired.flatMap(({ key, value }) => this.#decoded(key, value));
    // They are out of the store already: what fails here must not keep them from the rest of their end.
    const orReport = (work: Promise<unknown>): Promise<unknown> => work.catch(this.#onProblem);
    // First of all: no owner must find a session that is gone without its mark.
    await orReport(this.#tombstones.put(ended));
    await otherWork();
    await orReport(this.#blobs.releaseAll(ended.flatMap(({ holds }) => holds)));
    await otherWork();
    await orReport(this.#pointers.remove(ended));
    for (const { tenant, session } of ended) void this.#onGone(tenant, session);
    return expired.length;
  }

  /** Gives how many marks of expired sessions were old enough to go. */
  sweepTombstones(limit: number): Promise<number> {
    return this.#tombstones.sweep(limit);
  }

  count(): Promise<number> {
    return this.#store.records.count(kind);
  }

  /** What there is to clear up; of a damaged record nobody can tell. */
  #decoded({ tenant, id }: RecordKey, value: Uint8Array): Ended[] {
    try {
      return [endOf(tenant, decodeRecord(id, value))];
    } catch (error) {
      this.#onProblem(error);
      // The engine needs its name only.
      void this.#onGone(tenant, id);
      return [];
    }
  }

  async #clearUp(tenant: string, record: SessionRecord): Promise<Removed> {
    const end = endOf(tenant, record);
    const bytesFreed = await this.#blobs.releaseAll(end.holds);
    await this.#pointers.remove([end]);
    return {
      items: record.items.filter((item) => item !== null).length,
      responses: record.responses.length,
      pictures: record.pictures.length,
      bytesFreed,
    };
  }

  async #idleTtlOfExpired(tenant: string, session: string): Promise<number | undefined> {
    const unswept = await this.#store.records.get({ tenant, kind, id: session });
    if (unswept) return decodeRecord(session, unswept.value).idleTtlMs;
    return this.#tombstones.idleTtlOf(tenant, session);
  }
}

function open({ key, version, value, expiresAtMs }: StoredRecord): OpenSession {
  return {
    tenant: key.tenant,
    record: decodeRecord(key.id, value),
    storeVersion: version,
    expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
    recordBytes: value.length,
  };
}

/** What is left to clear up when a session is gone. */
interface Ended {
  readonly tenant: string;
  readonly session: string;
  readonly idleTtlMs: number;
  readonly pointers: readonly string[];
  readonly holds: readonly Hold[];
}

function endOf(tenant: string, record: SessionRecord): Ended {
  const { session, idleTtlMs, pointers } = record;
  return {
    tenant,
    session,
    idleTtlMs,
    pointers,
    holds: holdsOf(tenant, session, blobIdsGone(record, undefined)),
  };
}

function holdsOf(tenant: string, session: string, blobIds: readonly string[]): Hold[] {
  return blobIds.map((blobId) => ({ tenant, blobId, holder: `session:${session}` }));
}

function isExpired({ expiresAtMs }: StoredRecord, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** Blobs that `after` shows no more; all of them when there is no after. */
function blobIdsGone(before: SessionRecord, after: SessionRecord | undefined): string[] {
  const kept = new Set(after?.pictures.map(({ blobId }) => blobId));
  return [...new Set(before.pictures.map(({ blobId }) => blobId))].filter((blobId) => !kept.has(blobId));
}
