import { readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failure } from '../../core/errors.ts';
import { ensureFolder, syncFolder } from '../../files/folders.ts';
import { freeBytesAt, storageFailure, storageFull } from '../../files/storageFailure.ts';
import { checkNames } from '../names.ts';
import type { BlobKey, BlobStore } from '../port.ts';
import {
  blobFileBytes,
  DamagedBlob,
  fileBytes,
  readBlobFile,
  readBlobKey,
  writeBlobFile,
} from './blobFile.ts';
import { blobName, blobPath, tenantFolder } from './blobPath.ts';
import { sweepBlobs } from './sweep.ts';
import { Turns } from './turns.ts';

/** A file that is not what was written; its blob is treated as absent and the file is left until it is replaced. */
export interface BlobDamage {
  readonly path: string;
  readonly problem: string;
}

export interface FileBlobsOptions {
  /** Free space on the volume that caches leave to everything else, and other blobs a quarter of it to records. */
  readonly reserveBytes: number;
  readonly onDamage: (damage: BlobDamage) => void;
}

/** What these areas hold can be made again, so they may not take the last space from sessions. */
const cacheAreas: ReadonlySet<string> = new Set(['features', 'snapshot']);
/** Of the reserve, what other blobs leave in their turn: uploads that fill a volume must not stop turns, nor their own deletion. */
const shareOfRecords = 1 / 4;

/**
 * One file per blob. Reads, hashes and writes go in pieces, so that a large blob doesn't hold up the process.
 * The caller has the folder for itself.
 */
export class FileBlobs implements BlobStore {
  readonly #folder: string;
  readonly #options: FileBlobsOptions;
  readonly #bytesByArea: Map<string, number>;
  /** By path: writes to one file must not meet, and each must see its size before and after undisturbed. */
  readonly #turns = new Turns();
  /** Bytes of writes under way; part of them may not be missing from the free space yet. */
  #writingBytes = 0;
  #closed = false;

  /** Takes over an existing folder. @throws what the file system throws */
  constructor(folder: string, options: FileBlobsOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#bytesByArea = sweepBlobs(folder);
  }

  async put(key: BlobKey, value: Uint8Array): Promise<void> {
    const path = this.#pathOf(key);
    const bytes = blobFileBytes(key, value);
    await this.#change(key.area, path, bytes, async () => {
      this.#refuseIfFull(key.area, bytes);
      this.#writingBytes += bytes;
      try {
        await ensureFolder(dirname(path));
        await writeBlobFile(path, key, value);
      } finally {
        this.#writingBytes -= bytes;
      }
    });
  }

  async get(key: BlobKey): Promise<Uint8Array | undefined> {
    const path = this.#pathOf(key);
    const read = await this.#unlessDamaged(path, () => readBlobFile(path));
    return read?.value;
  }

  async delete(key: BlobKey): Promise<boolean> {
    const path = this.#pathOf(key);
    return this.#change(key.area, path, 0, async (before) => {
      if (before === undefined) return false;
      await unlink(path);
      await syncFolder(dirname(path));
      return true;
    });
  }

  async list(tenant: string, area: string): Promise<string[]> {
    checkNames({ tenant });
    this.#checkArea(area);
    const ids: string[] = [];
    for await (const path of blobFiles(tenantFolder(this.#folder, tenant, area))) {
      const key = await this.#unlessDamaged(path, async () => ({ key: await readBlobKey(path) }));
      if (key) ids.push(key.key.id);
    }
    return ids;
  }

  async usage(): Promise<Readonly<Record<string, number>>> {
    this.#refuseIfClosed();
    return Object.fromEntries(this.#bytesByArea);
  }

  /** Reads every blob; one line per damaged file. */
  async checkIntegrity(): Promise<string[]> {
    this.#refuseIfClosed();
    const found: string[] = [];
    for await (const path of blobFiles(this.#folder)) {
      await this.#unlessDamaged(
        path,
        () => readBlobFile(path),
        (problem) => found.push(`${path}: ${problem}`),
      );
    }
    return found;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turns.ended();
  }

  /** Runs a change of one file in its turn and counts what it did to the file's size, even if it failed halfway. */
  async #change<T>(
    area: string,
    path: string,
    bytes: number,
    work: (bytesBefore: number | undefined) => Promise<T>,
  ): Promise<T> {
    return this.#turns.take(path, async () => {
      try {
        const before = await fileBytes(path);
        try {
          return await work(before);
        } finally {
          const grown = ((await fileBytes(path)) ?? 0) - (before ?? 0);
          this.#bytesByArea.set(area, (this.#bytesByArea.get(area) ?? 0) + grown);
        }
      } catch (error) {
        throw storageFailure(error, this.#folder, bytes);
      }
    });
  }

  /** Undefined when the file is gone or damaged, or lies where another key's file should. */
  async #unlessDamaged<T extends { key: BlobKey }>(
    path: string,
    read: () => Promise<T>,
    onDamage = (problem: string): unknown => this.#options.onDamage({ path, problem }),
  ): Promise<T | undefined> {
    try {
      const found = await read();
      if (blobPath(this.#folder, found.key) !== path) throw new DamagedBlob('it belongs to another key');
      return found;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (!(error instanceof DamagedBlob)) throw storageFailure(error, path);
      onDamage(error.message);
      return undefined;
    }
  }

  #pathOf(key: BlobKey): string {
    checkNames(key);
    this.#checkArea(key.area);
    return blobPath(this.#folder, key);
  }

  #checkArea(area: string): void {
    this.#refuseIfClosed();
    if (!/^[a-z]+$/.test(area))
      throw new TypeError(`An area is a word of ours in small letters, got "${area}"`);
  }

  #refuseIfClosed(): void {
    if (this.#closed) {
      throw failure('storage_unavailable', { path: this.#folder, reason: 'it was closed' });
    }
  }

  #refuseIfFull(area: string, bytes: number): void {
    const reserveBytes = Math.floor(this.#options.reserveBytes * (cacheAreas.has(area) ? 1 : shareOfRecords));
    if (freeBytesAt(this.#folder) - this.#writingBytes - bytes < reserveBytes) {
      throw storageFull(this.#folder, bytes, reserveBytes);
    }
  }
}

/** Paths of the blob files in a folder, at any depth; none when the folder is missing. */
async function* blobFiles(folder: string): AsyncGenerator<string> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (entry.isFile() && blobName.test(entry.name)) yield join(entry.parentPath, entry.name);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw storageFailure(error, folder);
  }
}
