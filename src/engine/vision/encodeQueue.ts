import { failure } from '../../core/errors.ts';
import type { ImageSource } from '../../core/request.ts';
import type { EncodeJob, VisionEncoder } from './encoder.ts';
import { FeatureCache } from './featureCache.ts';

/** A request's claim on one image's features. Exactly one of the last two is set once it is settled. */
export interface FeatureTicket {
  /** Whether this claim made the encoder run; false when the features were there or already on their way. */
  readonly startedEncode: boolean;
  features: Float32Array | undefined;
  error: unknown;
  /** Milliseconds of encoder time spent for this claim. */
  encodeMs: number;
  /** Gives the claim up. The last one to do so stops the encode between two slices. */
  cancel(): void;
}

interface Order {
  readonly key: string;
  readonly tenant: string;
  readonly imageKey: string;
  readonly image: ImageSource;
  readonly tickets: Set<FeatureTicket>;
  rgb: Uint8Array | undefined;
  job: EncodeJob | undefined;
  encodeMs: number;
}

/**
 * Sees to it that every image is encoded once: claims on the same image of the same tenant share one encode, and later
 * claims find its features in the cache. Encodes run one at a time, first come first served, one slice per `step`.
 */
export class EncodeQueue {
  readonly cache: FeatureCache;
  encoderCalls = 0;
  readonly #encoder: VisionEncoder;
  readonly #orders = new Map<string, Order>();
  readonly #wake: () => void;

  /** `wake` is called when pixels have arrived and `step` has something to do. */
  constructor(encoder: VisionEncoder, featureCacheBytes: number, wake: () => void) {
    this.#encoder = encoder;
    this.cache = new FeatureCache(featureCacheBytes);
    this.#wake = wake;
  }

  claim(tenant: string, imageKey: string, image: ImageSource): FeatureTicket {
    const features = this.cache.get(tenant, imageKey);
    const key = `${tenant.length}:${tenant}:${imageKey}`;
    const running = features ? undefined : this.#orders.get(key);
    const ticket: FeatureTicket = {
      startedEncode: !features && !running,
      features,
      error: undefined,
      encodeMs: 0,
      cancel: () => this.#cancel(key, ticket),
    };
    if (features) return ticket;
    if (running) running.tickets.add(ticket);
    else this.#order({ key, tenant, imageKey, image, tickets: new Set([ticket]) });
    return ticket;
  }

  canStep(): boolean {
    return this.#next() !== undefined;
  }

  /** Runs one slice of the oldest encode whose pixels are there. */
  async step(): Promise<void> {
    const order = this.#next();
    if (!order?.rgb) return;
    const started = performance.now();
    try {
      if (!order.job) {
        const { width, height } = order.image;
        order.job = this.#encoder.begin({ width, height, rgb: order.rgb });
        this.encoderCalls++;
      }
      const finished = await order.job.step();
      order.encodeMs += performance.now() - started;
      if (finished) this.#finish(order, order.job.features());
    } catch (error) {
      this.#fail(order, error);
    }
  }

  #next(): Order | undefined {
    for (const order of this.#orders.values()) if (order.rgb) return order;
    return undefined;
  }

  #order(wanted: Omit<Order, 'rgb' | 'job' | 'encodeMs'>): void {
    const order: Order = { ...wanted, rgb: undefined, job: undefined, encodeMs: 0 };
    this.#orders.set(order.key, order);
    const { width, height } = order.image;
    order.image.pixels().then(
      (rgb) => {
        if (rgb.length === width * height * 3) order.rgb = rgb;
        else {
          const reason = `a ${width}x${height} picture came with ${rgb.length} bytes instead of ${width * height * 3}`;
          this.#fail(order, failure('engine_failed', { reason }));
        }
        this.#wake();
      },
      (error: unknown) => {
        this.#fail(order, error);
        this.#wake();
      },
    );
  }

  #finish(order: Order, features: Float32Array): void {
    this.cache.put(order.tenant, order.imageKey, features);
    for (const ticket of order.tickets) {
      ticket.features = features;
      if (ticket.startedEncode) ticket.encodeMs = order.encodeMs;
    }
    this.#close(order);
  }

  #fail(order: Order, error: unknown): void {
    for (const ticket of order.tickets) ticket.error = error;
    this.#close(order);
  }

  #cancel(key: string, ticket: FeatureTicket): void {
    const order = this.#orders.get(key);
    if (!order?.tickets.delete(ticket) || order.tickets.size > 0) return;
    this.#close(order);
  }

  #close(order: Order): void {
    order.job?.dispose();
    this.#orders.delete(order.key);
  }
}
