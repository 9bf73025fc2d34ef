import { createHash } from 'node:crypto';
import type { RecordKey, Store, StoredRecord } from '../store/port.ts';
import type { SteadyClock } from './steadyClock.ts';
import { UploadSeal } from './uploadSeal.ts';

/** How often it is checked that the holders of a blob still are. A crash can leave one that isn't. */
const auditMs = 60 * 60_000;

interface BlobRecord {
  readonly bytes: number;
  /** False until the blob itself is written. */
  readonly stored: boolean;
  readonly holders: readonly string[];
  /** Of its seal; left out when it lies in clear. */
  readonly salt?: string;
}

/** A record as it was read, with what is to become of it. */
interface KeptBlob {
  readonly key: RecordKey;
  readonly version: number;
  readonly value: BlobRecord;
}

export type Holder = `session:${string}` | `file:${string}`;

export interface Hold {
  readonly tenant: string;
  readonly blobId: string;
  readonly holder: Holder;
}

export interface BlobToHold {
  readonly blobId: string;
  /** It is of another session of the tenant, which may do without its pixels. */
  readonly mayBeGone: boolean;
}

export const blobArea = 'upload';
const kind = 'blob';

/**
 * Uploaded bytes, stored once per tenant under the SHA-256 of what they are, for as long as a file or a session holds them.
 * Holders are a set of names and not a count, so that doing a step twice after a crash changes nothing.
 * Changes are made one at a time, so that an audit never meets a half-made one.
 */
export class BlobHolders {
  readonly #store: Store;
  readonly #clock: SteadyClock;
  readonly #seal: UploadSeal | undefined;
  /** A blob is put before anybody holds it; unheld for this long it goes. */
  readonly #unheldMs: number;
  readonly #onFreed: (tenant: string, blobId: string) => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: {
    store: Store;
    clock: SteadyClock;
    /** None: what is put lies in clear. */
    seal: UploadSeal | undefined;
    unheldMs: number;
    onFreed: (tenant: string, blobId: string) => void;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#seal = parts.seal;
    this.#unheldMs = parts.unheldMs;
    this.#onFreed = parts.onFreed;
  }

  /** `known` says that the tenant had the same bytes already. Without a holder they must be held soon. */
  async put(tenant: string, bytes: Uint8Array, holder?: Holder): Promise<{ blobId: string; known: boolean }> {
    const blobId = createHash('sha256').update(bytes).digest('hex');
    const known = await this.#alone(async () => {
      const before = await this.#read(tenant, blobId);
      const holders = new Set(before?.value.holders);
      if (holder) holders.add(holder);
      const record = { bytes: bytes.length, holders: [...holders] };
      // One that the disk has lost or damaged is made whole by who sends it again.
      if (before?.value.stored && (await this.get(tenant, blobId))) {
        await this.#write(tenant, blobId, before.version, { ...before.value, ...record });
        return true;
      }
      const salt = this.#seal && UploadSeal.newSalt();
      const sealed = { ...record, ...(salt !== undefined && { salt }) };
      const unstored = { ...sealed, stored: false, holders: before?.value.holders ?? [] };
      const version = await this.#write(tenant, blobId, before?.version ?? 0, unstored);
      const body = salt === undefined ? bytes : await this.#seal?.seal(bytes, salt, { tenant, blobId });
      await this.#store.blobs.put({ tenant, area: blobArea, id: blobId }, body as Uint8Array);
      await this.#write(tenant, blobId, version, { ...sealed, stored: true });
      return false;
    });
    return { blobId, known };
  }

  /** Undefined: there is no such blob, or none that is whole. */
  async get(tenant: string, blobId: string): Promise<Uint8Array | undefined> {
    const [record, body] = await Promise.all([
      this.#read(tenant, blobId),
      this.#store.blobs.get({ tenant, area: blobArea, id: blobId }),
    ]);
    if (!body || !record) return undefined;
    const { salt } = record.value;
    if (salt === undefined) return body;
    return this.#seal?.open(body, salt, { tenant, blobId });
  }

  /** Whether the tenant should have such a blob; `get` tells whether the disk still has it. */
  async knows(tenant: string, blobId: string): Promise<boolean> {
    return this.#alone(async () => (await this.#read(tenant, blobId))?.value.stored ?? false);
  }

  /** False when the tenant has no such blob. */
  async hold(tenant: string, blobId: string, holder: Holder): Promise<boolean> {
    return this.#alone(async () => {
      const before = await this.#read(tenant, blobId);
      if (!before?.value.stored) return false;
      if (before.value.holders.includes(holder)) return true;
      const holders = [...before.value.holders, holder];
      await this.#write(tenant, blobId, before.version, { ...before.value, holders });
      return true;
    });
  }

  /** Gives the bytes that were freed: 0 while somebody else holds them. */
  release(tenant: string, blobId: string, holder: Holder): Promise<number> {
    return this.releaseAll([{ tenant, blobId, holder }]);
  }

  /** Many at once, which waits for the disk as often as one. Gives the bytes that were freed. */
  async releaseAll(holds: readonly Hold[]): Promise<number> {
    return this.#alone(async () => {
      return this.#keep(await this.#readHeld(holds));
    });
  }

  /** Whether this one does. */
  async isHeldBy(tenant: string, blobId: string, holder: Holder): Promise<boolean> {
    return (await this.#read(tenant, blobId))?.value.holders.includes(holder) ?? false;
  }

  /** Takes back a hold as if it had never been: whoever has just sent the same bytes still finds them. */
  async letGo(tenant: string, blobId: string, holder: Holder): Promise<void> {
    await this.#alone(async () => {
      const before = await this.#read(tenant, blobId);
      if (!before?.value.holders.includes(holder)) return;
      const holders = before.value.holders.filter((other) => other !== holder);
      await this.#write(tenant, blobId, before.version, { ...before.value, holders });
    });
  }

  /** Drops holders that are gone and blobs that nobody holds, with other work after each. Gives how many it looked at. */
  async audit(limit: number, otherWork: () => Promise<unknown>): Promise<number> {
    return this.#alone(async () => {
      // They stay where they are until each is rewritten: a record that is lost takes the key of its blob along.
      const due = await this.#store.records.listExpired(kind, this.#clock.nowMs(), limit);
      const failures: unknown[] = [];
      for (const record of due) {
        await this.#review(record).catch((error) => failures.push(error));
        await otherWork();
      }
      if (failures.length > 0) throw failures[0];
      return due.length;
    });
  }

  async #review({ key, version, value }: StoredRecord): Promise<void> {
    const record = parse(value);
    const holders: string[] = [];
    for (const holder of record.holders) if (await this.#lives(key.tenant, holder)) holders.push(holder);
    await this.#keep([{ key, version, value: { ...record, holders } }]);
  }

  /** Writes what is left of the holders, and frees what has none. Gives the bytes that were freed. */
  async #keep(blobs: readonly KeptBlob[]): Promise<number> {
    const isHeld = ({ value }: KeptBlob): boolean => value.holders.length > 0;
    // Marked as not stored first: after a crash in between whoever puts the same bytes stores them again.
    await this.#writeAll(
      blobs.map((blob) => (isHeld(blob) ? blob : { ...blob, value: { ...blob.value, stored: false } })),
    );
    const unheld = blobs.filter((blob) => !isHeld(blob));
    await Promise.all(unheld.map(({ key }) => this.#free(key.tenant, key.id)));
    await this.#writeAll(unheld.map(({ key, version }) => ({ key, version: version + 1, value: null })));
    return unheld.reduce((sum, { value }) => sum + value.bytes, 0);
  }

  /** Blobs that there are, with what is left of their holders. */
  async #readHeld(holds: readonly Hold[]): Promise<KeptBlob[]> {
    const byBlob = Map.groupBy(holds, ({ tenant, blobId }) => JSON.stringify([tenant, blobId]));
    const held = [];
    for (const [{ tenant, blobId, holder }, ...others] of byBlob.values() as Iterable<[Hold, ...Hold[]]>) {
      const before = await this.#read(tenant, blobId);
      if (!before) continue;
      const { version, value } = before;
      const leaving = new Set([holder, ...others.map((other) => other.holder)]);
      const holders = value.holders.filter((one) => !leaving.has(one as Holder));
      held.push({ key: { tenant, kind, id: blobId }, version, value: { ...value, holders } });
    }
    return held;
  }

  async #writeAll(
    writes: readonly { key: RecordKey; version: number; value: BlobRecord | null }[],
  ): Promise<void> {
    const matched = await this.#store.records.writeAll(
      writes.map(({ key, version: expectedVersion, value }) => ({
        key,
        expectedVersion,
        value: value && Buffer.from(JSON.stringify(value)),
        expiresAtMs: value && this.#expiryOf(value),
      })),
    );
    const changed = writes[matched.indexOf(false)];
    if (changed) throw new Error(`blob ${changed.key.id} was changed by another process`);
  }

  async #free(tenant: string, blobId: string): Promise<void> {
    await this.#store.blobs.delete({ tenant, area: blobArea, id: blobId });
    this.#onFreed(tenant, blobId);
  }

  async #lives(tenant: string, holder: string): Promise<boolean> {
    const [holderKind, id] = holder.split(':') as [string, string];
    return (await this.#store.records.get({ tenant, kind: holderKind, id })) !== undefined;
  }

  async #read(tenant: string, id: string): Promise<{ version: number; value: BlobRecord } | undefined> {
    const record: StoredRecord | undefined = await this.#store.records.get({ tenant, kind, id });
    return record && { version: record.version, value: parse(record.value) };
  }

  async #write(tenant: string, id: string, version: number, record: BlobRecord): Promise<number> {
    await this.#writeAll([{ key: { tenant, kind, id }, version, value: record }]);
    return version + 1;
  }

  #expiryOf({ holders }: BlobRecord): number {
    return this.#clock.nowMs() + (holders.length > 0 ? auditMs : this.#unheldMs);
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

function parse(value: Uint8Array): BlobRecord {
  return JSON.parse(Buffer.from(value).toString('utf8'));
}
