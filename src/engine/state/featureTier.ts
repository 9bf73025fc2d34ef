import type { Logger } from '../ipc/logger.ts';
import type { FeatureStore } from '../vision/encodeQueue.ts';
import { featureKey } from '../vision/featureCache.ts';
import type { DiskObject, DiskTier } from './diskTier.ts';
import type { SharedOwners } from './sharedOwners.ts';

interface Stored {
  readonly id: string;
  readonly bytes: number;
}

/** Features on disk, for as long as a session shows their image: a picture is encoded once, whatever happens to the process. */
export class FeatureTier implements FeatureStore {
  readonly #disk: DiskTier;
  readonly #owners: SharedOwners;
  readonly #logger: Logger;
  readonly #stored = new Map<string, Stored>();
  readonly #keyOf = new Map<string, string>();
  readonly #saves = new Map<string, Promise<boolean>>();

  constructor(disk: DiskTier, owners: SharedOwners, logger: Logger) {
    this.#disk = disk;
    this.#owners = owners;
    this.#logger = logger;
  }

  has(tenant: string, imageKey: string): boolean {
    return this.#stored.has(featureKey(tenant, imageKey));
  }

  /** 0: they are not here. */
  bytesOf(tenant: string, imageKey: string): number {
    return this.#stored.get(featureKey(tenant, imageKey))?.bytes ?? 0;
  }

  async load(tenant: string, imageKey: string): Promise<Uint8Array | undefined> {
    const stored = this.#stored.get(featureKey(tenant, imageKey));
    if (!stored) return undefined;
    try {
      const read = await this.#disk.read(stored.id);
      if (read) return read.body;
    } catch (error) {
      this.#logger.warn({ reason: String(error) }, 'state: features could not be read');
    }
    this.dropObjects([stored.id]);
    return undefined;
  }

  /** What nobody shows stays off the disk, where nobody would remove it. */
  async save(tenant: string, imageKey: string, packed: Uint8Array): Promise<boolean> {
    if (this.has(tenant, imageKey)) return true;
    if (packed.length > this.#disk.maxBytes || !this.#owners.isUsed(tenant, imageKey)) return false;
    const key = featureKey(tenant, imageKey);
    let save = this.#saves.get(key);
    if (!save) {
      save = this.#write(tenant, imageKey, packed).finally(() => this.#saves.delete(key));
      this.#saves.set(key, save);
    }
    return save;
  }

  found({ id, tenant, bytes, meta }: DiskObject): void {
    const key = featureKey(tenant, (meta as { imageKey: string }).imageKey);
    this.#stored.set(key, { id, bytes });
    this.#keyOf.set(id, key);
  }

  async #write(tenant: string, imageKey: string, packed: Uint8Array): Promise<boolean> {
    const object = { kind: 'features', tenant, scope: { image: imageKey }, meta: { imageKey } } as const;
    try {
      this.found(await this.#disk.write(object, packed));
      return true;
    } catch (error) {
      this.#logger.warn({ reason: String(error) }, 'state: features were not written to disk');
      return false;
    }
  }

  dropObjects(ids: readonly string[]): void {
    for (const id of ids) {
      const key = this.#keyOf.get(id);
      this.#keyOf.delete(id);
      if (key !== undefined && this.#stored.get(key)?.id === id) this.#stored.delete(key);
    }
  }
}
