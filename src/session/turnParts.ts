import type { InferencePort } from '../core/inference.ts';
import type { SessionConfig } from './config.ts';
import type { Counters } from './counters.ts';
import type { Intents } from './intents.ts';
import type { KeyedLease } from './lease.ts';
import type { LiveTurns } from './liveTurn.ts';
import type { Pictures } from './pictures.ts';
import type { PixelRetention } from './pixelRetention.ts';
import type { ReplyPointers } from './replyPointers.ts';
import type { SessionStore } from './sessionStore.ts';
import type { SteadyClock } from './steadyClock.ts';

/** Steps at which a test may end the process: what survives of the turn must not depend on where. */
export const failpoints = [
  'leased',
  'pictures-held',
  'pointer-claimed',
  'intent-written',
  'first-delta',
  'generated',
  'committed',
] as const;
export type Failpoint = (name: (typeof failpoints)[number]) => void | Promise<void>;

/** What turns are made with. */
export interface TurnParts {
  readonly engine: InferencePort;
  readonly sessions: SessionStore;
  readonly pictures: Pictures;
  readonly retention: PixelRetention;
  readonly pointers: ReplyPointers;
  readonly intents: Intents;
  readonly leases: KeyedLease;
  readonly live: LiveTurns;
  readonly clock: SteadyClock;
  readonly config: SessionConfig;
  readonly counters: Counters;
  readonly failpoint: Failpoint;
  /** Something went wrong that no caller can be told of. */
  readonly onProblem: (error: unknown) => void;
}
