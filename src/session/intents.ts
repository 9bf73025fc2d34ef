import { errorTable, failure } from '../core/errors.ts';
import type { SessionConfig } from './config.ts';
import type { LiveTurns } from './liveTurn.ts';
import type { SessionRecord } from './record.ts';
import { abandonTurn } from './recordEdits.ts';
import type { SteadyClock } from './steadyClock.ts';

/** Tells turns that still run, here or on another node, from those whose process died. */
export class Intents {
  /** This process, as intents name it. */
  readonly owner: string;
  readonly #live: LiveTurns;
  readonly #clock: SteadyClock;
  readonly #config: SessionConfig;

  constructor(owner: string, live: LiveTurns, clock: SteadyClock, config: SessionConfig) {
    this.owner = owner;
    this.#live = live;
    this.#clock = clock;
    this.#config = config;
  }

  runs(
    tenant: string,
    turn: { owner: string; deadlineMs: number; session: string; serial: number },
  ): boolean {
    if (turn.owner === this.owner) return this.#live.of(tenant, turn.session, turn.serial) !== undefined;
    return !this.#config.exclusiveStore && this.#clock.nowMs() < turn.deadlineMs;
  }

  /**
   * The record without the intent of a dead process: that turn was interrupted. Nothing is written; whoever writes next writes
   * this too. So a restart needs no pass over the sessions.
   * @throws session_busy while the turn runs
   */
  settled(tenant: string, record: SessionRecord): SessionRecord {
    if (!record.intent) return record;
    const { owner, deadlineMs, response } = record.intent;
    if (this.runs(tenant, { owner, deadlineMs, session: record.session, serial: response.serial })) {
      throw failure('session_busy', {});
    }
    return abandonTurn(record, {
      status: 'failed',
      error: { code: 'turn_interrupted', message: errorTable.turn_interrupted.message },
      completedAtMs: deadlineMs,
    });
  }
}
