import type { ImageVector } from '../../core/imageVector.ts';
import type { ImageSource } from '../../core/request.ts';
import { EncodeOrder, type FeatureTicket } from './encodeOrder.ts';
import type { VisionEncoder } from './encoder.ts';
import { FeatureCache, featureKey } from './featureCache.ts';
import type { FeaturePacking } from './featurePacking.ts';

/** How features are kept, and where. */
export interface FeatureKeeping {
  readonly packing: FeaturePacking;
  readonly store?: FeatureStore | undefined;
  /** Memory for packed features. */
  readonly maxBytes: number;
}

/** Features that outlive this process. */
export interface FeatureStore {
  has(tenant: string, imageKey: string): boolean;
  /** Undefined: they are not there after all. Never rejects. */
  load(tenant: string, imageKey: string): Promise<Uint8Array | undefined>;
  /** Resolves with whether they are there, also when they were before. Never rejects. */
  save(tenant: string, imageKey: string, packed: Uint8Array): Promise<boolean>;
}

/**
 * Sees to it that every image is encoded once: claims on the same image of the same tenant share one encode, and later
 * claims find its features in the cache, or in the store. Encodes run one at a time, in the order their pixels are asked for, one slice per
 * `step`; one that has begun is ended before the next.
 */
export class EncodeQueue {
  readonly cache: FeatureCache;
  encoderCalls = 0;
  readonly #encoder: Pick<VisionEncoder, 'begin'>;
  readonly #packing: FeaturePacking;
  readonly #store: FeatureStore | undefined;
  readonly #orders = new Map<string, EncodeOrder>();
  readonly #wake: () => void;
  /** They go with the features they are made of. */
  readonly #vectors = new WeakMap<Uint8Array, Uint8Array>();

  /** `wake` is called when pixels have come, or won't. */
  constructor(
    encoder: Pick<VisionEncoder, 'begin'>,
    { packing, store, maxBytes: featureCacheBytes }: FeatureKeeping,
    wake: () => void,
  ) {
    this.#encoder = encoder;
    this.#packing = packing;
    this.#store = store;
    this.cache = new FeatureCache(featureCacheBytes);
    this.#wake = wake;
  }

  claim(tenant: string, imageKey: string, image: ImageSource): FeatureTicket {
    const packed = this.cache.get(tenant, imageKey);
    const features = packed && this.#packing.unpack(packed);
    const ticket: FeatureTicket = {
      startedEncode: false,
      features,
      error: undefined,
      encodeMs: 0,
      cancel: () => {},
    };
    if (features) return ticket;
    const key = featureKey(tenant, imageKey);
    const order = this.#orders.get(key) ?? this.#order({ key, tenant, imageKey, image });
    ticket.cancel = () => {
      order.leave(ticket);
      if (!order.isWanted) this.#close(order);
    };
    order.join(ticket, image);
    return ticket;
  }

  /**
   * Of those images whose features are kept; made of the rounded ones, once for as long as they are kept.
   */
  vectorsOf(
    tenant: string,
    images: ReadonlyMap<string, ImageSource>,
    { space, vectorOf }: { space: string; vectorOf: (features: Float32Array) => Uint8Array },
  ): ImageVector[] {
    return [...images].flatMap(([imageKey, { digest, width, height }]) => {
      const packed = this.cache.peek(tenant, imageKey);
      if (!packed) return [];
      const vector = this.#vectors.get(packed) ?? vectorOf(this.#packing.unpack(packed));
      this.#vectors.set(packed, vector);
      return [{ digest, width, height, space, vector }];
    });
  }

  canStep(): boolean {
    return this.#next() !== undefined;
  }

  /** Runs one slice of the encode whose turn it is. */
  async step(): Promise<void> {
    const order = this.#next();
    if (!order?.rgb) return;
    const started = performance.now();
    try {
      if (!order.job) {
        const { width, height, rgb } = order;
        order.job = this.#encoder.begin({ width, height, rgb });
        this.encoderCalls++;
      }
      const finished = await order.job.step();
      order.encodeMs += performance.now() - started;
      if (!finished) return;
      const packed = this.#packing.pack(order.job.features());
      if (!order.forgotten) {
        this.cache.put(order.tenant, order.imageKey, packed);
        void this.#store?.save(order.tenant, order.imageKey, packed);
      }
      // Rounded like those that are read back: whoever decodes them later decodes the same numbers.
      order.settle(this.#packing.unpack(packed));
    } catch (error) {
      order.fail(error);
    }
    this.#close(order);
  }

  /** Whether an image need not be encoded for the next claim. */
  has(tenant: string, imageKey: string): boolean {
    const isThere = this.cache.has(tenant, imageKey) || this.#store?.has(tenant, imageKey);
    return isThere || this.#orders.has(featureKey(tenant, imageKey));
  }

  /** Whether an image's features are in the store, or have come there. */
  async persist(tenant: string, imageKey: string): Promise<boolean> {
    if (this.#store?.has(tenant, imageKey)) return true;
    const packed = this.cache.peek(tenant, imageKey);
    return (packed && (await this.#store?.save(tenant, imageKey, packed))) ?? false;
  }

  /** Drops an image's features, and those that are being made as soon as who waits for them has them. */
  forgetImage(tenant: string, imageKey: string): void {
    this.cache.drop(tenant, imageKey);
    const order = this.#orders.get(featureKey(tenant, imageKey));
    if (order) order.forgotten = true;
  }

  /** The same for all of a tenant's. */
  forget(tenant: string): void {
    this.cache.forget(tenant);
    for (const order of this.#orders.values()) order.forgotten ||= order.tenant === tenant;
  }

  #next(): EncodeOrder | undefined {
    let oldest: EncodeOrder | undefined;
    for (const order of this.#orders.values()) {
      if (order.job) return order;
      if (order.rgb) oldest ??= order;
    }
    return oldest;
  }

  #order(wanted: { key: string; tenant: string; imageKey: string; image: ImageSource }): EncodeOrder {
    const { tenant, imageKey } = wanted;
    const isStored = this.#store?.has(tenant, imageKey) ?? false;
    const onPixels = (): void => {
      if (!order.isWanted) this.#close(order);
      this.#wake();
    };
    const order = new EncodeOrder(wanted, onPixels, isStored);
    this.#orders.set(order.key, order);
    if (isStored) void this.#fetch(order);
    return order;
  }

  async #fetch(order: EncodeOrder): Promise<void> {
    const { tenant, imageKey } = order;
    const packed = await this.#store?.load(tenant, imageKey);
    // Given up meanwhile: then there is no order any more.
    if (this.#orders.get(order.key) !== order) return;
    if (!packed) order.askForPixels();
    else {
      if (!order.forgotten) this.cache.put(tenant, imageKey, packed);
      order.settle(this.#packing.unpack(packed));
      this.#close(order);
    }
    this.#wake();
  }

  #close(order: EncodeOrder): void {
    order.job?.dispose();
    order.job = undefined;
    if (this.#orders.get(order.key) === order) this.#orders.delete(order.key);
  }
}
