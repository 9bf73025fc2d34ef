import type { RecordStore } from '../store/port.ts';
import { tombstoneMs } from './config.ts';
import type { SteadyClock } from './steadyClock.ts';

const kind = 'tombstone';

/** Marks that expired sessions leave for a while, so that their owner can be told. */
export class Tombstones {
  readonly #records: RecordStore;
  readonly #clock: SteadyClock;

  constructor(records: RecordStore, clock: SteadyClock) {
    this.#records = records;
    this.#clock = clock;
  }

  async put(
    ended: readonly { readonly tenant: string; readonly session: string; readonly idleTtlMs: number }[],
  ): Promise<void> {
    const expiresAtMs = this.#clock.nowMs() + tombstoneMs;
    await this.#records.writeAll(
      ended.map(({ tenant, session, idleTtlMs }) => ({
        key: { tenant, kind, id: session },
        expectedVersion: 0,
        value: Buffer.from(JSON.stringify(idleTtlMs)),
        expiresAtMs,
      })),
    );
  }

  /** The idle time after which the session ended; undefined when it left no mark, or that is gone. */
  async idleTtlOf(tenant: string, session: string): Promise<number | undefined> {
    const found = await this.#records.get({ tenant, kind, id: session });
    if (!found || (found.expiresAtMs ?? 0) <= this.#clock.nowMs()) return undefined;
    return JSON.parse(Buffer.from(found.value).toString('utf8'));
  }

  /** Gives how many were old enough to go. */
  async sweep(limit: number): Promise<number> {
    return (await this.#records.takeExpired(kind, this.#clock.nowMs(), limit)).length;
  }
}
