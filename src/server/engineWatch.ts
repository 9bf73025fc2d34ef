import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { InferencePort } from '../core/inference.ts';

const checkIntervalMs = 500;

/** Knows whether the engine could take a request now: it may be loading, or restarting after a death. */
export class EngineWatch {
  readonly #engine: InferencePort;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #isUp = false;

  /** Looks every half second until it is stopped. */
  constructor(engine: InferencePort, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.check(), checkIntervalMs);
    this.#timer.unref();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  async check(): Promise<void> {
    // Ready is what has resolved by now, so this neither waits for a start nor fails with it.
    const isUp = await Promise.race([
      this.#engine.ready().then(
        () => true,
        () => false,
      ),
      setImmediate(false),
    ]);
    if (isUp !== this.#isUp) this.#logger.info({ isUp }, isUp ? 'engine: up' : 'engine: down');
    this.#isUp = isUp;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
