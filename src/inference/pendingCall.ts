import { AsyncQueue } from '../core/asyncQueue.ts';
import { AfterimageError, failure } from '../core/errors.ts';
import type { GenerateRequest } from '../core/request.ts';
import type { Logger } from '../engine/ipc/logger.ts';
import type { EngineReply, ToEngine } from '../engine/ipc/protocol.ts';
import { fromWireError, toWireError } from '../engine/ipc/wireError.ts';
import { imagesOf } from '../engine/ipc/wireRequest.ts';

/**
 * The parent's side of one call. It stays open until the engine closes it, also after an abort: until then the engine may
 * still work on it, and may die of it.
 */
export class PendingCall {
  readonly replies = new AsyncQueue<EngineReply>();
  readonly request: GenerateRequest | undefined;
  readonly #id: number;
  readonly #send: (message: ToEngine) => void;
  #closedByEngine = false;
  #stopListening = () => {};

  constructor(id: number, request: GenerateRequest | undefined, send: (message: ToEngine) => void) {
    this.#id = id;
    this.request = request;
    this.#send = send;
  }

  abortOn(signal: AbortSignal): void {
    const onAbort = () => this.abort(signal.reason);
    // An aborted signal fires no event any more.
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
  }

  /** The reader gets `reason` at once; the engine is told to stop. After the end of the call nothing happens. */
  abort(reason: unknown): void {
    if (this.#closedByEngine) return;
    this.replies.fail(reason);
    this.#send({ type: 'abort', id: this.#id });
  }

  /** The last message of the call. */
  close(reply: EngineReply): void {
    this.#ended();
    if (reply.type === 'error') this.replies.fail(fromWireError(reply.error));
    else this.replies.push(reply);
    this.replies.end();
  }

  /** The engine is gone, or as good as gone. */
  fail(error: Error): void {
    this.#ended();
    this.replies.fail(error);
  }

  /** The reply to a call that has just one. */
  async reply<Type extends EngineReply['type']>(type: Type): Promise<Extract<EngineReply, { type: Type }>> {
    const { value } = await this.replies.next();
    if (value?.type !== type) throw new Error(`the engine answered ${value?.type}, expected ${type}`);
    return value as Extract<EngineReply, { type: Type }>;
  }

  async sendPixels(imageKey: string, logger: Logger): Promise<void> {
    const address = { type: 'pixels', id: this.#id, imageKey } as const;
    try {
      const image = this.request && imagesOf(this.request).get(imageKey);
      if (!image) throw new Error(`the engine asked for ${imageKey}, which is not in its request`);
      const rgb = await image.pixels();
      if (!this.#closedByEngine) this.#send({ ...address, rgb });
    } catch (error) {
      const known = error instanceof AfterimageError;
      if (!known) logger.error({ err: error, imageKey }, 'engine process: no pixels for the engine');
      const shown = known
        ? error
        : failure('engine_failed', { reason: 'a picture of the request could not be read' });
      if (!this.#closedByEngine) this.#send({ ...address, error: toWireError(shown) });
    }
  }

  #ended(): void {
    this.#closedByEngine = true;
    this.#stopListening();
  }
}
