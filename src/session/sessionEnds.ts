import type { RecordKey, RecordStore } from '../store/port.ts';
import type { BlobHolders, Hold } from './blobHolders.ts';
import type { SessionRecord } from './record.ts';
import { decodeRecord } from './recordCodec.ts';
import type { ReplyPointers } from './replyPointers.ts';
import type { SteadyClock } from './steadyClock.ts';
import type { Tombstones } from './tombstones.ts';

/** Of sessions in the store. */
export const sessionKind = 'session';

export interface Removed {
  readonly items: number;
  readonly responses: number;
  readonly pictures: number;
  /** Of pictures that nothing else shows. */
  readonly bytesFreed: number;
}

/** What is left to clear up when a session is out of the store. */
interface Ended {
  readonly tenant: string;
  readonly session: string;
  readonly idleTtlMs: number;
  readonly pointers: readonly string[];
  readonly holds: readonly Hold[];
}

/** What goes with a session: its holds of pictures, its reply pointers, and what others keep of it. */
export class SessionEnds {
  readonly #records: RecordStore;
  readonly #blobs: BlobHolders;
  readonly #pointers: ReplyPointers;
  readonly #tombstones: Tombstones;
  readonly #clock: SteadyClock;
  /** Never rejects. */
  readonly #onGone: (tenant: string, session: string) => Promise<void>;
  readonly #onProblem: (error: unknown) => void;

  constructor(parts: {
    records: RecordStore;
    blobs: BlobHolders;
    pointers: ReplyPointers;
    tombstones: Tombstones;
    clock: SteadyClock;
    onGone: (tenant: string, session: string) => Promise<void>;
    onProblem: (error: unknown) => void;
  }) {
    this.#records = parts.records;
    this.#blobs = parts.blobs;
    this.#pointers = parts.pointers;
    this.#tombstones = parts.tombstones;
    this.#clock = parts.clock;
    this.#onGone = parts.onGone;
    this.#onProblem = parts.onProblem;
  }

  /** Clears up after a session that was removed before its time. */
  async clearUp(tenant: string, record: SessionRecord): Promise<Removed> {
    const end = endOf(tenant, record);
    try {
      const bytesFreed = await this.#blobs.releaseAll(end.holds);
      await this.#pointers.remove([end]);
      return {
        items: record.items.filter((item) => item !== null).length,
        responses: record.responses.length,
        pictures: record.pictures.length,
        bytesFreed,
      };
    } finally {
      await this.#onGone(tenant, record.session);
    }
  }

  /** Removes sessions that have expired and marks them as such, with other work between the steps; gives their number. */
  async sweep(limit: number, otherWork: () => Promise<unknown>): Promise<number> {
    const expired = await this.#records.takeExpired(sessionKind, this.#clock.nowMs(), limit);
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

  /** Nothing, but for the engine, where a damaged record can't tell. */
  #decoded({ tenant, id }: RecordKey, value: Uint8Array): Ended[] {
    try {
      return [endOf(tenant, decodeRecord(id, value))];
    } catch (error) {
      this.#onProblem(error);
      void this.#onGone(tenant, id);
      return [];
    }
  }
}

/** Holds of a session that shows these pictures; each blob once. */
export function holdsOf(tenant: string, session: string, blobIds: Iterable<string>): Hold[] {
  return [...new Set(blobIds)].map((blobId) => ({ tenant, blobId, holder: `session:${session}` }));
}

function endOf(tenant: string, { session, idleTtlMs, pointers, pictures }: SessionRecord): Ended {
  const blobIds = pictures.map(({ blobId }) => blobId);
  return { tenant, session, idleTtlMs, pointers, holds: holdsOf(tenant, session, blobIds) };
}
