import { AfterimageError } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import { within } from '../core/within.ts';

/** A DELETE waits this long for the engine to wipe what it has; an engine that is just starting wipes it later. */
const waitMs = 2_000;
/** How long after a failure it is tried again. */
const retryMs = 30_000;

/**
 * Sees to it that the engine keeps nothing of sessions that are gone: it is told of each end, and what it still holds of sessions
 * that ended while it, or this process, was not there is looked for at the start and after every end it could not be told of.
 */
export class EngineMemory {
  readonly #engine: InferencePort;
  readonly #isAlive: (tenant: string, session: string) => Promise<boolean>;
  readonly #onProblem: (error: unknown) => void;
  #checking: Promise<void> | undefined;
  /** An end could not be told of since the check that runs began. */
  #mustCheckAgain = false;
  #later: NodeJS.Timeout | undefined;

  constructor(parts: {
    engine: InferencePort;
    isAlive: (tenant: string, session: string) => Promise<boolean>;
    onProblem: (error: unknown) => void;
  }) {
    this.#engine = parts.engine;
    this.#isAlive = parts.isAlive;
    this.#onProblem = parts.onProblem;
  }

  /** Resolves when it is wiped, at the latest after two seconds. Never rejects. */
  async forget(tenant: string, session: string): Promise<void> {
    await within(this.#forget(tenant, session), waitMs);
  }

  /** Has everything forgotten whose session is gone. Never rejects; one at a time, and once more if it is asked for meanwhile. */
  check(): Promise<void> {
    this.#mustCheckAgain = true;
    this.#checking ??= this.#checkWhileAsked().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkWhileAsked(): Promise<void> {
    while (this.#mustCheckAgain) {
      this.#mustCheckAgain = false;
      await this.#check();
    }
  }

  async #forget(tenant: string, session: string): Promise<void> {
    try {
      await this.#engine.forget(tenant, session);
    } catch (error) {
      if (isUnavailable(error)) void this.check();
      else this.#failed(error);
    }
  }

  async #check(): Promise<void> {
    try {
      await this.#engine.ready();
    } catch (error) {
      // It is being shut down, or never comes up: who starts it again looks again.
      if (!isUnavailable(error)) this.#onProblem(error);
      return;
    }
    try {
      for (const { tenant, session } of await this.#engine.heldSessions()) {
        await this.#forgetUnlessAlive(tenant, session);
      }
    } catch (error) {
      if (isUnavailable(error)) this.#mustCheckAgain = true;
      else this.#failed(error);
    }
  }

  /** One session's trouble keeps no other from being looked at. @throws engine_unavailable */
  async #forgetUnlessAlive(tenant: string, session: string): Promise<void> {
    try {
      if (!(await this.#isAlive(tenant, session))) await this.#engine.forget(tenant, session);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.#failed(error);
    }
  }

  /** What could not be wiped now, on a full disk say, is tried again later. */
  #failed(error: unknown): void {
    this.#onProblem(error);
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      void this.check();
    }, retryMs).unref();
  }
}

function isUnavailable(error: unknown): boolean {
  return (
    error instanceof AfterimageError && ['engine_unavailable', 'engine_start_failed'].includes(error.code)
  );
}
