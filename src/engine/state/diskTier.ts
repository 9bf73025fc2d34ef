import type { Scope } from './checkpoint.ts';

export type DiskKind = 'snapshot' | 'features';

/** What is known of an object without reading it. */
export interface DiskObject {
  readonly id: string;
  readonly kind: DiskKind;
  readonly tenant: string;
  readonly scope: Scope;
  /** On disk. */
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly lastUsedMs: number;
  /** JSON value, as it was given. */
  readonly meta: unknown;
}

/**
 * Sealed objects on disk, as the State Controller sees them. An object may be lost at any time; what is given back was written
 * under this id for this tenant and scope, by an engine with the same fingerprint, or it is not given back at all.
 */
export interface DiskTier {
  /** All of it: an object that is larger alone is refused as `storage_full`. */
  readonly maxBytes: number;
  /** Durable when it resolves. Borrows the body until then. @throws AfterimageError storage_*, the signal's reason while it waits */
  write(
    object: { kind: DiskKind; tenant: string; scope: Scope; meta: unknown },
    body: Uint8Array,
    options?: { signal?: AbortSignal },
  ): Promise<DiskObject>;
  /** Undefined: it is gone, or was refused and removed. `ms` is what reading took, without waiting for its turn. */
  read(id: string): Promise<{ readonly body: Uint8Array; readonly ms: number } | undefined>;
  remove(ids: readonly string[]): Promise<void>;
  /** Notes durably that a session shows an image. */
  hold(tenant: string, image: string, session: string): Promise<void>;
  /** Wipes what a session, or a whole tenant, alone holds; gives the ids of removed objects. */
  forget(tenant: string, session?: string): Promise<readonly string[]>;
}

/** The disk tier as its owner has it. */
export interface OwnedDisk extends DiskTier {
  /** A secret that is the same at each start: names made with it are found again. */
  readonly salt: Uint8Array;
  /** Tells of every object that is there and can be read. */
  scan(onFound: (object: DiskObject) => void): Promise<void>;
  /** Sessions that hold anything here. */
  sessions(): Promise<readonly { tenant: string; session: string }[]>;
  readonly stats: { readonly bytes: number; readonly refused: Readonly<Record<string, number>> };
  /** Waits for queued writes. */
  close(): Promise<void>;
}
