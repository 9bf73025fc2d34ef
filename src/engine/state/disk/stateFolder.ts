import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type AfterimageError, failure } from '../../../core/errors.ts';
import { fileKey, type PieceSource } from '../../../files/seal.ts';
import { freeBytesAt, storageFailure } from '../../../files/storageFailure.ts';
import { type Scope, scopeName } from '../checkpoint.ts';
import type { DiskKind, DiskObject } from '../diskTier.ts';
import { withFile, writeDurably } from './fileBytes.ts';
import { folderNames } from './folderNames.ts';
import { openKeyDatabase } from './keyDatabase.ts';
import { KeyTable, type ObjectRow } from './keyTable.ts';
import { masterKeyAt } from './masterKey.ts';
import {
  type Belonging,
  fileFormat,
  keyPurpose,
  openBody,
  openHeader,
  prefixBytes,
  readPrefix,
  sealFile,
} from './sealedFile.ts';

export interface StateFolderOptions {
  readonly folder: string;
  /** 32 bytes; left out, a key that lies in the folder. */
  readonly masterKey?: Uint8Array | undefined;
  readonly fingerprint: string;
  readonly maxBytes: number;
  readonly reserveBytes: number;
}

/** Why an object was not let in. */
export type Refusal = 'damaged' | 'replaced' | 'outdated' | 'locked' | 'missing';

export interface NewObject {
  readonly kind: DiskKind;
  readonly tenant: string;
  readonly scope: Scope;
  readonly meta: unknown;
}

/** Header and a first piece of a file are read in one go: a header is rarely longer. */
const headBytes = 64 * 1024;
/** Of those that go because space is short. */
const evictedAtOnce = 8;

/** They say nothing of the file that could not be read. */
const passingErrors: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/**
 * Sealed objects in a folder, each a file under a random name:
 *
 *     keys.db   keys, uses, register      master.key   unless the operator brings a key      objects/   one file each
 *
 * An object counts from the moment its row is written; what has a file and no row, or a row and no file, is removed.
 * Every call blocks until it is done: it belongs on a thread of its own. @throws AfterimageError storage_*
 */
export class StateFolder {
  readonly refused: Record<Refusal, number> = { damaged: 0, replaced: 0, outdated: 0, locked: 0, missing: 0 };
  bytes = 0;
  /** A secret that is the same as long as the master key is. */
  readonly salt: Uint8Array;
  readonly #options: StateFolderOptions;
  readonly #objects: string;
  readonly #keys: KeyTable;
  /** Uses that are not in the register yet: a read waits for no disk but its file's. */
  readonly #used = new Map<string, number>();
  #unscanned: ObjectRow[] | undefined;
  readonly #evicted: string[] = [];

  constructor(options: StateFolderOptions) {
    this.#options = options;
    const { folder } = options;
    this.#objects = join(folder, folderNames.objects);
    try {
      mkdirSync(this.#objects, { recursive: true, mode: 0o700 });
      const masterKey = options.masterKey ?? masterKeyAt(join(folder, folderNames.masterKey));
      this.#keys = new KeyTable(openKeyDatabase(join(folder, folderNames.keyTable)), masterKey);
      this.salt = fileKey(masterKey, Buffer.from('state keys'), keyPurpose);
      this.#dropStrangers();
    } catch (error) {
      throw storageFailure(error, folder);
    }
  }

  write(object: NewObject, body: Uint8Array): DiskObject {
    const { kind, tenant, scope, meta } = object;
    const name = scopeName(scope);
    if ('image' in scope && !this.#keys.isUsed(tenant, scope.image)) {
      throw failure('storage_unavailable', { path: this.#objects, reason: 'nobody uses this any more' });
    }
    const id = randomBytes(16).toString('hex');
    const { fingerprint } = this.#options;
    const key = this.#keys.dataKey(tenant, name) ?? this.#keys.newDataKey(tenant, name);
    const { salt, pieces, bytes } = sealFile(
      key,
      { id, tenant, scope: name, kind, fingerprint },
      { scope, meta },
      body,
    );
    this.#noteUses();
    this.#makeRoom(bytes);
    const path = join(this.#objects, id);
    try {
      writeDurably(path, pieces);
    } catch (error) {
      throw storageFailure(error, path, bytes);
    }
    const usedMs = Date.now();
    try {
      this.#keys.register({ id, kind, tenant, name, fingerprint, salt, bytes, usedMs });
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    this.bytes += bytes;
    return { id, kind, tenant, scope, bytes, lastUsedMs: usedMs, meta };
  }

  /** Undefined: it is gone, or was refused and removed. */
  read(id: string): Uint8Array | undefined {
    const row = this.#keys.object(id);
    const opened = row && this.#open(row, openBody);
    if (opened) this.#used.set(id, Date.now());
    return opened;
  }

  /** The next objects of those that were there at the start, last used first; `done` with the last of them. */
  scan(limit: number): { objects: DiskObject[]; done: boolean } {
    this.#unscanned ??= this.#keys.objects();
    const objects: DiskObject[] = [];
    for (const row of this.#unscanned.splice(0, limit)) {
      // It may be gone meanwhile.
      if (!this.#keys.object(row.id)) continue;
      const header = this.#open(row, openHeader) as { scope: Scope; meta: unknown } | undefined;
      if (!header) continue;
      const { id, kind, tenant, bytes, usedMs } = row;
      objects.push({ id, kind: kind as DiskKind, tenant, bytes, lastUsedMs: usedMs, ...header });
    }
    return { objects, done: this.#unscanned.length === 0 };
  }

  remove(ids: readonly string[]): void {
    const known = ids.flatMap((id) => this.#keys.object(id) ?? []);
    this.#keys.unregister(ids);
    this.#unlink(known);
  }

  hold(tenant: string, image: string, session: string): void {
    this.#keys.use(tenant, image, session);
  }

  forget(tenant: string, session: string | undefined): string[] {
    let gone: ObjectRow[];
    try {
      gone = this.#keys.forget(tenant, session);
    } catch (error) {
      const { code } = storageFailure(error, this.#objects) as AfterimageError;
      if (code !== 'storage_full') throw error;
      // The table's log needs a little space: the session's own files make it.
      for (const { id } of this.#keys.objectsOf(tenant, session))
        rmSync(join(this.#objects, id), { force: true });
      gone = this.#keys.forget(tenant, session);
    }
    this.#unlink(gone);
    return gone.map(({ id }) => id);
  }

  /** Gives up objects while less than the reserve is free, whoever took it: they can be made again, sessions can't. */
  yieldSpace(): void {
    while (freeBytesAt(this.#objects) < this.#options.reserveBytes && this.#evict(evictedAtOnce) > 0);
  }

  /** Which objects had to go since this was last asked, whatever became of what they went for. */
  takeEvicted(): string[] {
    return this.#evicted.splice(0);
  }

  sessions(): { tenant: string; session: string }[] {
    return this.#keys.sessions();
  }

  close(): void {
    this.#noteUses();
    this.#keys.close();
  }

  /** Opens a file as what its row says it is; what doesn't open is counted and removed. */
  #open<T>(
    row: ObjectRow,
    open: (key: Uint8Array, belonging: Belonging, head: Buffer, file: PieceSource) => T | undefined,
  ): T | undefined {
    const { id, tenant, name: scope, kind, fingerprint } = row;
    const refuse = (why: Refusal): undefined => {
      this.refused[why]++;
      this.remove([id]);
    };
    if (fingerprint !== this.#options.fingerprint) return refuse('outdated');
    const key = this.#keys.dataKey(tenant, scope);
    if (!key) return refuse('locked');
    const belonging = { id, tenant, scope, kind, fingerprint };
    let found: { opened: T } | Refusal;
    try {
      found = withFile(join(this.#objects, id), (file) => {
        const head = headOf(file);
        const prefix = readPrefix(head);
        if (!prefix) return 'damaged';
        if (prefix.format !== fileFormat) return 'outdated';
        if (!prefix.salt.equals(row.salt)) return 'replaced';
        const opened = open(key, belonging, head, file);
        return opened === undefined ? 'damaged' : { opened };
      });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ENOENT') return refuse('missing');
      if (passingErrors.has(code)) throw storageFailure(error, this.#objects);
      // A bad block, a folder in its place: it is this object's alone, and the others are there all the same.
      return refuse('damaged');
    }
    return typeof found === 'string' ? refuse(found) : found.opened;
  }

  #noteUses(): void {
    for (const [id, usedMs] of this.#used) this.#keys.touch(id, usedMs);
    this.#used.clear();
  }

  /** Nothing goes for what doesn't fit all the same. @throws storage_full */
  #makeRoom(bytes: number): void {
    const { maxBytes, reserveBytes } = this.#options;
    const freeBytes = freeBytesAt(this.#objects);
    if (bytes > maxBytes || freeBytes + this.bytes - bytes < reserveBytes) {
      throw failure('storage_full', { path: this.#objects, bytes, freeBytes, reserveBytes });
    }
    const isShort = (): boolean =>
      this.bytes + bytes > maxBytes || freeBytesAt(this.#objects) - bytes < reserveBytes;
    while (isShort() && this.#evict(1) > 0);
  }

  /** Gives how many went. */
  #evict(count: number): number {
    const rows = this.#keys.firstToGo(count);
    const ids = rows.map(({ id }) => id);
    this.#evicted.push(...ids);
    // Files first: on a full disk the table's log finds no room before.
    for (const id of ids) rmSync(join(this.#objects, id), { force: true, recursive: true });
    this.#keys.unregister(ids);
    for (const { bytes } of rows) this.bytes -= bytes;
    return rows.length;
  }

  /** Files whose rows are gone. */
  #unlink(rows: readonly ObjectRow[]): void {
    for (const { id, bytes } of rows) {
      this.bytes -= bytes;
      rmSync(join(this.#objects, id), { force: true, recursive: true });
    }
  }

  /** Files without a row: a crash left them, or somebody put them there. Rows are checked by `scan`. */
  #dropStrangers(): void {
    const rows = this.#keys.objects();
    this.bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const known = new Set(rows.map(({ id }) => id));
    for (const name of readdirSync(this.#objects)) {
      if (!known.has(name)) rmSync(join(this.#objects, name), { force: true, recursive: true });
    }
  }
}

/** All of a file up to the end of its header, and perhaps more. */
function headOf(file: PieceSource): Buffer {
  const first = Buffer.alloc(Math.min(headBytes, file.bytes));
  file.read(first, 0);
  const needed = prefixBytes + (readPrefix(first)?.headerBytes ?? 0);
  if (needed <= first.length || needed > file.bytes) return first;
  const head = Buffer.alloc(needed);
  file.read(head, 0);
  return head;
}
