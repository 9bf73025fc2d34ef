/**
 * Packed encoder output by owner and image, least recently used first out when the byte budget is full. Holding an array keeps
 * it alive beyond its time here, so an entry may be dropped while someone still reads it.
 */
export class FeatureCache {
  readonly maxBytes: number;
  #bytes = 0;
  /** A Map iterates in insertion order: the first entry is the one unused for longest. */
  readonly #entries = new Map<string, Uint8Array>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(tenant: string, imageKey: string): Uint8Array | undefined {
    const key = featureKey(tenant, imageKey);
    const features = this.#entries.get(key);
    if (!features) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, features);
    return features;
  }

  /** 0: it is not here. */
  bytesOf(tenant: string, imageKey: string): number {
    return this.#entries.get(featureKey(tenant, imageKey))?.byteLength ?? 0;
  }

  has(tenant: string, imageKey: string): boolean {
    return this.#entries.has(featureKey(tenant, imageKey));
  }

  /** Looking is no use. */
  peek(tenant: string, imageKey: string): Uint8Array | undefined {
    return this.#entries.get(featureKey(tenant, imageKey));
  }

  /** Features larger than the whole budget are not kept. */
  put(tenant: string, imageKey: string, features: Uint8Array): void {
    const key = featureKey(tenant, imageKey);
    this.#delete(key);
    if (features.byteLength > this.maxBytes) return;
    this.#entries.set(key, features);
    this.#bytes += features.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.maxBytes) break;
      this.#delete(oldest);
    }
  }

  drop(tenant: string, imageKey: string): void {
    this.#delete(featureKey(tenant, imageKey));
  }

  forget(tenant: string): void {
    const prefix = featureKey(tenant, '');
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#delete(key);
  }

  #delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.byteLength ?? 0;
    this.#entries.delete(key);
  }
}

/** The tenant's length comes first, so that no tenant's name can reach into another's keys. */
export function featureKey(tenant: string, imageKey: string): string {
  return `${tenant.length}:${tenant}:${imageKey}`;
}
