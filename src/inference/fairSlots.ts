import { failure } from '../core/errors.ts';

export interface FairSlotsOptions {
  /** Slots that are given out at once, at least 1. */
  readonly maxRunning: number;
  /** 0: whoever finds no free slot is refused. */
  readonly maxWaiting: number;
  readonly maxWaitingPerTenant: number;
}

/** Official clients wait no longer than a minute, whatever they are told. */
const maxRetryAfterMs = 60_000;
const minRetryAfterMs = 250;
/** Taken for the time of a turn until the first has ended. */
const firstGuessMs = 2_000;
/** Weight of the latest turn in the running average. */
const latestWeight = 0.2;

type Waiter = () => void;

/**
 * Slots that tenants take in turn: whoever is first in a tenant's line waits for at most one slot to go to each other tenant
 * that waits, whatever the length of their lines.
 */
export class FairSlots {
  readonly #options: FairSlotsOptions;
  /** Each tenant's line, never empty; the first tenant is served next. */
  readonly #lines = new Map<string, Set<Waiter>>();
  #running = 0;
  #waiting = 0;
  #turnMs = firstGuessMs;

  constructor(options: FairSlotsOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Waits for a slot; the caller gives it back by calling what this returns, once.
   * @throws engine_overloaded with `retryAfterMs`, and the signal's reason
   */
  async take(tenant: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running < this.#options.maxRunning) this.#running++;
    else await this.#wait(tenant, signal);
    const startedAt = performance.now();
    return () => {
      this.#turnMs += latestWeight * (performance.now() - startedAt - this.#turnMs);
      this.#next();
    };
  }

  async #wait(tenant: string, signal: AbortSignal): Promise<void> {
    const { maxWaiting, maxWaitingPerTenant } = this.#options;
    const line = this.#lines.get(tenant) ?? new Set();
    if (line.size >= maxWaitingPerTenant) throw this.#overloaded(line.size, maxWaitingPerTenant);
    if (this.#waiting >= maxWaiting) throw this.#overloaded(this.#waiting, maxWaiting);
    const turn = Promise.withResolvers<void>();
    this.#lines.set(tenant, line.add(turn.resolve));
    this.#waiting++;
    const onAbort = () => {
      // Not in line any more means that the slot was just handed over.
      if (!line.delete(turn.resolve)) return;
      this.#waiting--;
      if (line.size === 0) this.#lines.delete(tenant);
      turn.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    await turn.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** A freed slot goes to the next in line; a tenant that was served is last from then on. */
  #next(): void {
    for (const [tenant, line] of this.#lines) {
      this.#lines.delete(tenant);
      for (const waiter of line) {
        line.delete(waiter);
        this.#waiting--;
        if (line.size > 0) this.#lines.set(tenant, line);
        waiter();
        return;
      }
    }
    this.#running--;
  }

  /** When those who wait now will have been served, as turns went lately. */
  #overloaded(waiting: number, limit: number): Error {
    const drainedMs = (this.#turnMs * (this.#waiting + 1)) / this.#options.maxRunning;
    const retryAfterMs = Math.ceil(Math.min(maxRetryAfterMs, Math.max(minRetryAfterMs, drainedMs)));
    const details = { waiting, limit, retryAfterMs };
    return failure('engine_overloaded', details);
  }
}
