/**
 * Where records and blobs live. Every call names the tenant it acts for, and no adapter may let one tenant's key reach
 * another's value, whatever characters the names have. Names are compared byte by byte as UTF-8, without case folding or
 * normalisation. One conformance suite (`test/helpers/storeSuite.ts`) holds for all adapters.
 *
 * Every call can throw AfterimageError: storage_unavailable (also after `close`), storage_corrupt, and invalid_parameter for
 * a name with a lone surrogate. Writes can throw storage_full and storage_read_only too; then nothing is changed.
 */

/** Names one record: `kind` is a fixed word of ours (`session`, `file`, `key`), `id` is unique within tenant and kind. */
export interface RecordKey {
  readonly tenant: string;
  readonly kind: string;
  readonly id: string;
}

export interface StoredRecord {
  readonly key: RecordKey;
  /** 1 for a new record, one more with every write; a record that was deleted and written again starts anew. */
  readonly version: number;
  readonly value: Uint8Array;
  /** Unix milliseconds; null lives until it is deleted. */
  readonly expiresAtMs: number | null;
}

/** A `compareAndSet`, or with null for a value a `delete` of that version. */
export interface RecordWrite {
  readonly key: RecordKey;
  readonly expectedVersion: number;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number | null;
}

/**
 * Small records with compare-and-set. What a resolved write has written survives `kill -9` and a power cut.
 *
 * Expiry is a mark, not an event: `get` and `list` still return an expired record, whoever reads decides what that means;
 * only `takeExpired` removes it.
 */
export interface RecordStore {
  get(key: RecordKey): Promise<StoredRecord | undefined>;

  /**
   * Writes if the record's version is `expectedVersion` (0: if there is none) and returns the new version; undefined when
   * it is not, and then nothing is changed. Of several writers at once exactly one wins.
   * @param expiresAtMs whole Unix milliseconds
   */
  compareAndSet(
    key: RecordKey,
    expectedVersion: number,
    value: Uint8Array,
    expiresAtMs: number | null,
  ): Promise<number | undefined>;

  /** Moves the expiry if the version matches, without a new version; false when it doesn't match. */
  touch(key: RecordKey, version: number, expiresAtMs: number | null): Promise<boolean>;

  /** Deletes if the version matches (any version when it is left out); false when there was nothing to delete. */
  delete(key: RecordKey, expectedVersion?: number): Promise<boolean>;

  /**
   * Does writes one after the other with one wait for the disk; says of each whether its version matched, else it changes
   * nothing. A crash may leave all, none or the first of them done.
   */
  writeAll(writes: readonly RecordWrite[]): Promise<boolean[]>;

  /** Records of a tenant and kind in order of id (its UTF-8 bytes), after `afterId`, at most `limit`; `afterId` needn't exist. */
  list(tenant: string, kind: string, options: { afterId?: string; limit: number }): Promise<StoredRecord[]>;

  /**
   * Removes up to `limit` records of a kind that had expired at `nowMs` (`expiresAtMs <= nowMs`), of all tenants, oldest
   * first; returns them. A record is returned by one call only: what the caller still has to do for it is lost if the caller
   * dies.
   */
  takeExpired(kind: string, nowMs: number, limit: number): Promise<StoredRecord[]>;

  /** What `takeExpired` would take, left where it is. */
  listExpired(kind: string, nowMs: number, limit: number): Promise<StoredRecord[]>;

  /** Number of records of a kind, of all tenants. */
  count(kind: string): Promise<number>;
}

/** `area` is a fixed word of ours (`pixels`, `features`, `snapshot`, `upload`); `id` is unique within tenant and area. */
export interface BlobKey {
  readonly tenant: string;
  readonly area: string;
  readonly id: string;
}

/**
 * Large values, written whole: a reader sees all of a blob or none of it. What a resolved write has written survives
 * `kill -9`. Blobs in areas that are caches (`features`, `snapshot`) may vanish at any time; `upload` and `pixels` may not.
 * A blob that is damaged is absent. Ids that `list` returns may be gone when they are asked for.
 */
export interface BlobStore {
  /**
   * Replaces what was there. The value must not be changed before this resolves.
   * @throws AfterimageError storage_full, for blobs already while there is still a reserve for records, for caches while there is one for other blobs
   */
  put(key: BlobKey, value: Uint8Array): Promise<void>;
  get(key: BlobKey): Promise<Uint8Array | undefined>;
  /** False when there was nothing to delete. */
  delete(key: BlobKey): Promise<boolean>;
  /** Ids of a tenant's blobs in an area, in no order. */
  list(tenant: string, area: string): Promise<string[]>;
  /** Bytes held by area, of all tenants, with what the adapter adds to each blob. An area never used may be missing. */
  usage(): Promise<Readonly<Record<string, number>>>;
}

export interface Store {
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  /** False while nothing can be kept: writes are refused with storage_unavailable. */
  readonly isInPlace: boolean;
  /** Looks for damage; empty when there is none. Read-only, may take as long as reading everything. */
  checkIntegrity(): Promise<string[]>;
  /** Waits for writes under way, then refuses further calls. Idempotent. */
  close(): Promise<void>;
}
