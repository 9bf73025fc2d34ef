import { failure } from '../../core/errors.ts';
import type { ImageSource } from '../../core/request.ts';
import type { EncodeJob } from './encoder.ts';

/** A request's claim on one image's features. Exactly one of the last two is set once it is settled. */
export interface FeatureTicket {
  /** Whether the encoder runs for this claim; false when the features were there or are on their way for another one. */
  startedEncode: boolean;
  features: Float32Array | undefined;
  error: unknown;
  /** Milliseconds of encoder time spent for this claim. */
  encodeMs: number;
  /** Gives the claim up. The last one to do so stops the encode between two slices. */
  cancel(): void;
}

/**
 * One encode that is wanted, by one or more claims. The pixels come from the source of the first claim; when that one fails or
 * is given up only its own claim ends, and the next one's source is asked.
 */
export class EncodeOrder {
  readonly key: string;
  readonly tenant: string;
  readonly imageKey: string;
  readonly width: number;
  readonly height: number;
  rgb: Uint8Array | undefined;
  job: EncodeJob | undefined;
  encodeMs = 0;
  /** Its tenant was forgotten while it ran: its features go to those who wait, and nowhere else. */
  forgotten = false;
  /** Pixels are asked for only when this is off: the features may come from elsewhere. */
  #isHeld: boolean;
  readonly #claims = new Map<FeatureTicket, ImageSource>();
  readonly #onPixels: () => void;
  #asked: FeatureTicket | undefined;

  /** `onPixels` is called whenever an answer of a source has changed something. */
  constructor(
    wanted: { key: string; tenant: string; imageKey: string; image: ImageSource },
    onPixels: () => void,
    isHeld = false,
  ) {
    this.#isHeld = isHeld;
    this.key = wanted.key;
    this.tenant = wanted.tenant;
    this.imageKey = wanted.imageKey;
    this.width = wanted.image.width;
    this.height = wanted.image.height;
    this.#onPixels = onPixels;
  }

  get isWanted(): boolean {
    return this.#claims.size > 0;
  }

  join(ticket: FeatureTicket, source: ImageSource): void {
    this.#claims.set(ticket, source);
    if (!this.#asked && !this.#isHeld) this.#askNext();
  }

  /** The features don't come from elsewhere. */
  askForPixels(): void {
    this.#isHeld = false;
    if (!this.#asked) this.#askNext();
  }

  leave(ticket: FeatureTicket): void {
    if (this.#claims.delete(ticket) && this.#asked === ticket && !this.rgb) this.#askNext();
  }

  settle(features: Float32Array): void {
    for (const ticket of this.#claims.keys()) {
      ticket.features = features;
      if (ticket.startedEncode) ticket.encodeMs = this.encodeMs;
    }
    this.#claims.clear();
  }

  /** Fails everybody: for what is wrong with the encode itself. */
  fail(error: unknown): void {
    for (const ticket of this.#claims.keys()) ticket.error = error;
    this.#claims.clear();
  }

  #askNext(): void {
    const [first] = this.#claims;
    this.#asked = first?.[0];
    if (!first) return;
    const [ticket, source] = first;
    ticket.startedEncode = true;
    source.pixels().then(
      (rgb) => {
        if (this.#asked !== ticket) return;
        const needed = this.width * this.height * 3;
        if (rgb.length === needed) this.rgb = rgb;
        else this.#refuse(ticket, wrongSize(this.width, this.height, rgb.length));
        this.#onPixels();
      },
      (error: unknown) => {
        if (this.#asked !== ticket) return;
        this.#refuse(ticket, error);
        this.#onPixels();
      },
    );
  }

  #refuse(ticket: FeatureTicket, error: unknown): void {
    ticket.error = error;
    this.#claims.delete(ticket);
    this.#askNext();
  }
}

function wrongSize(width: number, height: number, bytes: number): Error {
  const reason = `a ${width}x${height} picture came with ${bytes} bytes instead of ${width * height * 3}`;
  return failure('engine_failed', { reason });
}
