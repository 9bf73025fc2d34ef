import type { FittedPicture } from './pictureIntake.ts';

/** Pictures at model size within a byte budget, least recently used first out. Keys carry the tenant. */
export class PixelCache {
  readonly #maxBytes: number;
  /** A Map iterates in insertion order: the first entry is the one unused for longest. */
  readonly #entries = new Map<string, FittedPicture>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): FittedPicture | undefined {
    const picture = this.#entries.get(key);
    if (!picture) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, picture);
    return picture;
  }

  /** A picture larger than the whole budget is not kept. */
  put(key: string, picture: FittedPicture): void {
    this.delete(key);
    if (picture.rgb.length > this.#maxBytes) return;
    this.#entries.set(key, picture);
    this.#bytes += picture.rgb.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.rgb.length ?? 0;
    this.#entries.delete(key);
  }
}
