/** Both clocks of the machine; tests bring their own. */
export interface Clock {
  /** Unix milliseconds. Jumps when somebody sets the time. */
  wallMs(): number;
  /** Milliseconds since some moment; never goes back, may stand still while the machine sleeps. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
