import { failure } from '../core/errors.ts';
import type { Store } from '../store/port.ts';
import type { BlobHolders } from './blobHolders.ts';
import { isFileId, newFileId } from './ids.ts';
import { notFound } from './notFound.ts';
import { type Page, type PageLimits, type PageOptions, pageOf } from './page.ts';
import type { SteadyClock } from './steadyClock.ts';

export interface FileView {
  readonly id: string;
  readonly bytes: number;
  readonly filename: string;
  readonly purpose: string;
  readonly createdAtMs: number;
  /** null: kept until it is deleted. */
  readonly expiresAtMs: number | null;
  /** SHA-256 of the bytes, hex. */
  readonly blobId: string;
}

const kind = 'file';
const listedAtOnce = 500;
/** OpenAI's: many clients read the first page only. */
export const filePageLimits: PageLimits = { object: 'file', most: 10_000, usual: 10_000 };

/** Files a tenant has uploaded. Deleting one takes its id away; its bytes stay while a session shows them. */
export class FileVault {
  readonly #store: Store;
  readonly #blobs: BlobHolders;
  readonly #clock: SteadyClock;

  constructor(store: Store, blobs: BlobHolders, clock: SteadyClock) {
    this.#store = store;
    this.#blobs = blobs;
    this.#clock = clock;
  }

  /** `known` says that identical bytes were there already and were not stored again; the id is a new one all the same. */
  async put(
    tenant: string,
    bytes: Uint8Array,
    { filename, purpose, ttlMs }: { filename: string; purpose: string; ttlMs: number | null },
  ): Promise<{ file: FileView; known: boolean }> {
    const id = newFileId();
    const createdAtMs = this.#clock.nowMs();
    const expiresAtMs = ttlMs === null ? null : createdAtMs + ttlMs;
    const { blobId, known } = await this.#blobs.put(tenant, bytes, `file:${id}`);
    const file: FileView = { id, bytes: bytes.length, filename, purpose, createdAtMs, expiresAtMs, blobId };
    const value = Buffer.from(JSON.stringify(file));
    const written = await this.#store.records.compareAndSet({ tenant, kind, id }, 0, value, expiresAtMs);
    if (written === undefined) throw new Error('a new file id was taken');
    return { file, known };
  }

  /** @throws not_found, also once it has expired. */
  async get(tenant: string, id: string): Promise<FileView> {
    const record = isFileId(id) ? await this.#store.records.get({ tenant, kind, id }) : undefined;
    const file = record && parse(record.value);
    if (!file || this.#expired(file)) throw notFound('file', id);
    return file;
  }

  async content(tenant: string, id: string): Promise<Uint8Array> {
    const { blobId } = await this.get(tenant, id);
    const bytes = await this.#blobs.get(tenant, blobId);
    if (!bytes) throw failure('storage_corrupt', { path: `File ${id}`, reason: 'its bytes are missing' });
    return bytes;
  }

  /** Reads all of the tenant's file records: the store lists by id, clients by time. */
  async list(
    tenant: string,
    { purpose, ...page }: PageOptions & { purpose?: string },
  ): Promise<Page<FileView>> {
    const files: FileView[] = [];
    let afterId: string | undefined;
    for (;;) {
      const options = { limit: listedAtOnce, ...(afterId !== undefined && { afterId }) };
      const records = await this.#store.records.list(tenant, kind, options);
      files.push(...records.map(({ value }) => parse(value)));
      if (records.length < listedAtOnce) break;
      afterId = records.at(-1)?.key.id;
    }
    const alive = files.filter((file) => !this.#expired(file) && (!purpose || file.purpose === purpose));
    return pageOf(
      alive.sort((a, b) => a.createdAtMs - b.createdAtMs),
      page,
      filePageLimits,
    );
  }

  /** Gives the bytes freed: 0 while something else shows them. @throws not_found */
  async delete(tenant: string, id: string): Promise<{ bytesFreed: number }> {
    const { blobId } = await this.get(tenant, id);
    if (!(await this.#store.records.delete({ tenant, kind, id }))) throw notFound('file', id);
    return { bytesFreed: await this.#blobs.release(tenant, blobId, `file:${id}`) };
  }

  /** Gives how many files had expired; other work is done after each. */
  async sweep(limit: number, otherWork: () => Promise<unknown>): Promise<number> {
    const expired = await this.#store.records.takeExpired(kind, this.#clock.nowMs(), limit);
    for (const { key, value } of expired) {
      await this.#blobs.release(key.tenant, parse(value).blobId, `file:${key.id}`);
      await otherWork();
    }
    return expired.length;
  }

  #expired({ expiresAtMs }: FileView): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#clock.nowMs();
  }
}

function parse(value: Uint8Array): FileView {
  return JSON.parse(Buffer.from(value).toString('utf8'));
}
