import { failure } from '../core/errors.ts';
import type { ImageSource } from '../core/request.ts';
import type { BlobHolders } from './blobHolders.ts';
import type { FileVault } from './fileVault.ts';
import { isBlobId } from './ids.ts';
import type { InputPicturePart, PictureDetail } from './items.ts';
import { notFound } from './notFound.ts';
import type { FittedPicture, PictureIntake } from './pictureIntake.ts';
import { PixelCache } from './pixelCache.ts';
import type { PictureRecord } from './record.ts';

export type MeasuredPicture = Omit<PictureRecord, 'number' | 'vector'>;

/** Pictures by blob and detail: their size and digest for the record, their pixels for the engine when it asks. */
export class Pictures {
  readonly #intake: PictureIntake;
  readonly #blobs: BlobHolders;
  readonly #files: FileVault;
  readonly #cache: PixelCache;
  /** Several turns that need the same picture share one intake. */
  readonly #underway = new Map<string, Promise<FittedPicture | undefined>>();

  constructor(intake: PictureIntake, blobs: BlobHolders, files: FileVault, cacheBytes: number) {
    this.#intake = intake;
    this.#blobs = blobs;
    this.#files = files;
    this.#cache = new PixelCache(cacheBytes);
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  /** @throws not_found for a file of nobody or somebody else, invalid_parameter when the part names none. */
  async blobOf(tenant: string, { fileId, blobId }: InputPicturePart): Promise<string> {
    if ((fileId === undefined) === (blobId === undefined)) {
      throw failure('invalid_parameter', {
        param: 'input',
        problem: 'an input_image needs either a file or uploaded bytes',
      });
    }
    if (fileId !== undefined) return (await this.#files.get(tenant, fileId)).blobId;
    if (!isBlobId(blobId as string)) throw notFound('picture', blobId as string);
    return blobId as string;
  }

  /** @throws not_found, storage_corrupt, and what the intake throws when the bytes are no picture. */
  async measure(tenant: string, blobId: string, detail: PictureDetail): Promise<MeasuredPicture> {
    const fitted = await this.#fitted(tenant, blobId, detail);
    if (!fitted) throw notFound('picture', blobId);
    const { digest, width, height } = fitted;
    return { blobId, detail, digest, width, height };
  }

  /** `pixels` of what comes back throws picture_not_kept once they were let go of. */
  source(tenant: string, { number, blobId, detail, digest, width, height }: PictureRecord): ImageSource {
    return {
      digest,
      width,
      height,
      pixels: async () => {
        const fitted = await this.#fitted(tenant, blobId, detail);
        if (!fitted) throw failure('picture_not_kept', { number });
        return fitted.rgb;
      },
    };
  }

  /** Undefined: the bytes are gone. */
  async #fitted(tenant: string, blobId: string, detail: PictureDetail): Promise<FittedPicture | undefined> {
    const key = JSON.stringify([tenant, blobId, detail]);
    const cached = this.#cache.get(key);
    if (cached) return cached;
    let work = this.#underway.get(key);
    if (!work) {
      work = this.#take(tenant, blobId, detail, key).finally(() => this.#underway.delete(key));
      this.#underway.set(key, work);
    }
    return work;
  }

  async #take(
    tenant: string,
    blobId: string,
    detail: PictureDetail,
    key: string,
  ): Promise<FittedPicture | undefined> {
    const bytes = await this.#blobs.get(tenant, blobId);
    if (!bytes) {
      if (await this.#blobs.knows(tenant, blobId)) throw lost(blobId);
      return undefined;
    }
    const picture = await this.#intake.take(bytes, detail);
    // It may have been deleted meanwhile.
    if (await this.#blobs.knows(tenant, blobId)) this.#cache.put(key, picture);
    return picture;
  }

  /** Forgets the pixels of a blob that was deleted. */
  drop(tenant: string, blobId: string): void {
    for (const detail of ['auto', 'low', 'high', 'original'] as const) {
      this.#cache.delete(JSON.stringify([tenant, blobId, detail]));
    }
  }
}

/** By the disk: nobody's mistake, so it is no `not_found`. */
const lost = (blobId: string) =>
  failure('storage_corrupt', {
    path: `Picture ${blobId}`,
    reason: 'its bytes are missing; the same picture, sent again, makes it whole',
  });
