/** What happened since the process began. */
export interface Counters {
  commits: number;
  /** Turns that began and ended without a commit. */
  abandoned: number;
  /** Replies given again instead of running a turn twice. */
  replays: number;
  sessionsExpired: number;
  sessionsDeleted: number;
}

export const newCounters = (): Counters => ({
  commits: 0,
  abandoned: 0,
  replays: 0,
  sessionsExpired: 0,
  sessionsDeleted: 0,
});
