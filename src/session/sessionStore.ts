import { failure } from '../core/errors.ts';
import type { RecordStore, StoredRecord } from '../store/port.ts';
import type { BlobHolders, BlobToHold } from './blobHolders.ts';
import { notFound } from './notFound.ts';
import type { SessionRecord } from './record.ts';
import { decodeRecord, encodeRecord } from './recordCodec.ts';
import { holdsOf, sessionKind as kind, type Removed, type SessionEnds } from './sessionEnds.ts';
import type { SteadyClock } from './steadyClock.ts';
import type { Tombstones } from './tombstones.ts';

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

/** Sessions in the store, with the pictures they hold. */
export class SessionStore {
  readonly #records: RecordStore;
  readonly #blobs: BlobHolders;
  readonly #ends: SessionEnds;
  readonly #tombstones: Tombstones;
  readonly #clock: SteadyClock;

  constructor(parts: {
    records: RecordStore;
    blobs: BlobHolders;
    ends: SessionEnds;
    tombstones: Tombstones;
    clock: SteadyClock;
  }) {
    this.#records = parts.records;
    this.#blobs = parts.blobs;
    this.#ends = parts.ends;
    this.#tombstones = parts.tombstones;
    this.#clock = parts.clock;
  }

  /** Undefined when there is none; an expired one that wasn't swept yet counts as none. */
  async find(tenant: string, session: string): Promise<OpenSession | undefined> {
    const stored = await this.#records.get({ tenant, kind, id: session });
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
      const records = await this.#records.list(tenant, kind, options);
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
    const version = await this.#records.compareAndSet(key, base.storeVersion, value, expiresAtMs);
    if (version === undefined) return undefined;
    await this.#blobs.releaseAll(holdsOf(base.tenant, next.session, blobIdsGone(base.record, next)));
    return {
      tenant: base.tenant,
      record: next,
      storeVersion: version,
      expiresAtMs,
      recordBytes: value.length,
    };
  }

  /** Holds blobs for a session that is about to show them. @throws not_found for one that must not be gone, holding none */
  async hold(tenant: string, session: string, blobs: readonly BlobToHold[]): Promise<void> {
    for (const [index, { blobId, mayBeGone }] of blobs.entries()) {
      if ((await this.#blobs.hold(tenant, blobId, `session:${session}`)) || mayBeGone) continue;
      await this.letGo(tenant, session, blobs.slice(0, index));
      throw notFound('picture', blobId);
    }
  }

  /** Takes back holds of blobs that the stored session doesn't show. */
  async letGo(tenant: string, session: string, blobs: readonly BlobToHold[]): Promise<void> {
    if (blobs.length === 0) return;
    const shown = new Set((await this.find(tenant, session))?.record.pictures.map(({ blobId }) => blobId));
    for (const { blobId } of blobs) {
      if (!shown.has(blobId)) await this.#blobs.letGo(tenant, blobId, `session:${session}`);
    }
  }

  /** Removes all of it; undefined when it was changed meanwhile. */
  async remove({ tenant, record, storeVersion }: OpenSession): Promise<Removed | undefined> {
    const key = { tenant, kind, id: record.session };
    if (!(await this.#records.delete(key, storeVersion))) return undefined;
    return this.#ends.clearUp(tenant, record);
  }

  count(): Promise<number> {
    return this.#records.count(kind);
  }

  async #idleTtlOfExpired(tenant: string, session: string): Promise<number | undefined> {
    const unswept = await this.#records.get({ tenant, kind, id: session });
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

function isExpired({ expiresAtMs }: StoredRecord, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** Blobs that `after` shows no more. */
function blobIdsGone(before: SessionRecord, after: SessionRecord): string[] {
  const kept = new Set(after.pictures.map(({ blobId }) => blobId));
  return before.pictures.map(({ blobId }) => blobId).filter((blobId) => !kept.has(blobId));
}
