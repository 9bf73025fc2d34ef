import { createHash } from 'node:crypto';
import type { RecordStore, RecordWrite } from '../store/port.ts';
import type { SteadyClock } from './steadyClock.ts';

/** Where the reply to a request is, or will be. Whether it is there only the session's record says. */
export interface ReplyPointer {
  readonly requestDigest: string;
  readonly session: string;
  readonly serial: number;
  /** Whose turn it is while there is no reply, and until when. */
  readonly owner: string;
  readonly deadlineMs: number;
}

const kind = 'dedup';

/**
 * One record per idempotency key, and one per request that starts a session: it has no other place where its retry could
 * look. Written before the intent, so that no turn runs that its retry couldn't find.
 */
export class ReplyPointers {
  readonly #records: RecordStore;
  readonly #clock: SteadyClock;

  constructor(records: RecordStore, clock: SteadyClock) {
    this.#records = records;
    this.#clock = clock;
  }

  async find(tenant: string, id: string): Promise<{ pointer: ReplyPointer; version: number } | undefined> {
    const record = await this.#records.get({ tenant, kind, id });
    if (!record || (record.expiresAtMs ?? 0) <= this.#clock.nowMs()) return undefined;
    return { pointer: parse(record.value), version: record.version };
  }

  /** False when somebody else changed the pointer since it was looked at. */
  async claim(
    tenant: string,
    id: string,
    seenVersion: number,
    pointer: ReplyPointer,
    ttlMs: number,
  ): Promise<boolean> {
    const key = { tenant, kind, id };
    const value = Buffer.from(JSON.stringify(pointer));
    const expiresAtMs = this.#clock.nowMs() + ttlMs;
    return (await this.#records.compareAndSet(key, seenVersion, value, expiresAtMs)) !== undefined;
  }

  /** Removes, of those that each session names, the ones that lead to it. */
  async remove(
    named: readonly {
      readonly tenant: string;
      readonly session: string;
      readonly pointers: readonly string[];
    }[],
  ): Promise<void> {
    const writes: RecordWrite[] = [];
    for (const { tenant, session, pointers } of named) {
      for (const id of pointers) {
        const record = await this.#records.get({ tenant, kind, id });
        if (!record || parse(record.value).session !== session) continue;
        const { key, version: expectedVersion } = record;
        writes.push({ key, expectedVersion, value: null, expiresAtMs: null });
      }
    }
    await this.#records.writeAll(writes);
  }

  async sweep(limit: number): Promise<number> {
    return (await this.#records.takeExpired(kind, this.#clock.nowMs(), limit)).length;
  }
}

/** The key itself is not kept. */
export function keyPointerId(idempotencyKey: string): string {
  return `key-${createHash('sha256').update(idempotencyKey).digest('base64url')}`;
}

export const rootPointerId = (requestDigest: string): string => `root-${requestDigest}`;

function parse(value: Uint8Array): ReplyPointer {
  return JSON.parse(Buffer.from(value).toString('utf8'));
}
