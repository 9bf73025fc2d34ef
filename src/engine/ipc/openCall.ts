import type { ToEngine } from './protocol.ts';
import { fromWireError } from './wireError.ts';

type PixelsMessage = Extract<ToEngine, { type: 'pixels' }>;

/** The engine's side of one call: its abort signal and the pixels it waits for. Aborting also ends those waits. */
export class OpenCall {
  readonly #controller = new AbortController();
  readonly #awaited = new Map<string, PromiseWithResolvers<Uint8Array>>();
  readonly #askParent: (imageKey: string) => void;

  constructor(askParent: (imageKey: string) => void) {
    this.#askParent = askParent;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly fetchPixels = (imageKey: string): Promise<Uint8Array> => {
    if (this.signal.aborted) return Promise.reject(this.signal.reason);
    let awaited = this.#awaited.get(imageKey);
    if (!awaited) {
      awaited = Promise.withResolvers<Uint8Array>();
      // An engine that stopped waiting (its call was aborted) leaves nobody to take the rejection.
      awaited.promise.catch(() => {});
      this.#awaited.set(imageKey, awaited);
      this.#askParent(imageKey);
    }
    return awaited.promise;
  };

  receivePixels(message: PixelsMessage): void {
    const awaited = this.#awaited.get(message.imageKey);
    this.#awaited.delete(message.imageKey);
    if ('rgb' in message) awaited?.resolve(message.rgb);
    else awaited?.reject(fromWireError(message.error));
  }

  abort(): void {
    this.#controller.abort();
    for (const awaited of this.#awaited.values()) awaited.reject(this.signal.reason);
    this.#awaited.clear();
  }
}
