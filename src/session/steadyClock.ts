import type { Clock } from '../core/clock.ts';

const jumpMs = 60_000;

/**
 * Unix time that doesn't jump: it follows the wall clock while that stays within 60 s of the monotonic one, and carries on
 * without it when it doesn't, so that setting the time expires nothing and keeps nothing alive for longer. A new process
 * starts from the wall clock as it is then.
 */
export class SteadyClock {
  readonly #clock: Clock;
  #wallMs: number;
  #monotonicMs: number;
  /** Added to the wall clock to undo its jumps. */
  #shiftMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.wallMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** Unix milliseconds, whole. */
  nowMs(): number {
    const monotonicMs = this.#clock.monotonicMs();
    const expectedMs = this.#wallMs + (monotonicMs - this.#monotonicMs);
    const drift = this.#clock.wallMs() + this.#shiftMs - expectedMs;
    if (Math.abs(drift) > jumpMs) this.#shiftMs -= drift;
    this.#wallMs = this.#clock.wallMs() + this.#shiftMs;
    this.#monotonicMs = monotonicMs;
    return Math.floor(this.#wallMs);
  }
}
