import type { BlobHolders } from './blobHolders.ts';
import type { SessionConfig } from './config.ts';
import type { FileVault, FileView } from './fileVault.ts';
import type { Page, PageOptions } from './page.ts';
import type { Pictures } from './pictures.ts';

/** Uploads, as the gateway takes them in. */
export class Files {
  readonly #vault: FileVault;
  readonly #blobs: BlobHolders;
  readonly #pictures: Pictures;
  readonly #config: SessionConfig;

  constructor(vault: FileVault, blobs: BlobHolders, pictures: Pictures, config: SessionConfig) {
    this.#vault = vault;
    this.#blobs = blobs;
    this.#pictures = pictures;
    this.#config = config;
  }

  /**
   * Purpose `vision` is for pictures only: the bytes are taken in at once, so that a bad picture is refused here and a good one
   * is ready for the first turn. `known`: identical bytes were there already and are not stored twice.
   */
  async put(
    tenant: string,
    bytes: Uint8Array,
    about: { filename: string; purpose: string; ttlMs?: number },
  ): Promise<{ file: FileView; known: boolean }> {
    const ttlMs = about.ttlMs ?? this.#config.fileTtlMs;
    const put = await this.#vault.put(tenant, bytes, { ...about, ttlMs });
    if (about.purpose !== 'vision') return put;
    try {
      await this.#pictures.measure(tenant, put.file.blobId, 'auto');
    } catch (error) {
      await this.#vault.delete(tenant, put.file.id);
      throw error;
    }
    return put;
  }

  /** For a picture that comes with its turn: name it by the blob id in an item soon, or it goes (`unheldMs`). */
  async putPicture(tenant: string, bytes: Uint8Array): Promise<{ blobId: string; known: boolean }> {
    return this.#blobs.put(tenant, bytes);
  }

  get(tenant: string, id: string): Promise<FileView> {
    return this.#vault.get(tenant, id);
  }

  content(tenant: string, id: string): Promise<Uint8Array> {
    return this.#vault.content(tenant, id);
  }

  list(tenant: string, options: PageOptions & { purpose?: string } = {}): Promise<Page<FileView>> {
    return this.#vault.list(tenant, options);
  }

  delete(tenant: string, id: string): Promise<{ bytesFreed: number }> {
    return this.#vault.delete(tenant, id);
  }
}
