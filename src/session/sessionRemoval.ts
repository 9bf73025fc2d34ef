import { type LiveTurns, TurnCancelled } from './liveTurn.ts';
import { notFound } from './notFound.ts';
import type { SessionEdits, SessionName } from './sessionEdits.ts';
import type { Removed } from './sessionEnds.ts';

/** The end of a whole session before its time. */
export class SessionRemoval {
  readonly #edits: SessionEdits;
  readonly #live: LiveTurns;

  constructor(edits: SessionEdits, live: LiveTurns) {
    this.#edits = edits;
    this.#live = live;
  }

  /**
   * Stops the turn that runs in it and those that wait, then removes all of it.
   * @throws not_found, session_expired, session_busy when a turn began meanwhile
   */
  async remove(tenant: string, name: SessionName): Promise<Removed> {
    const turns = this.#live.in(tenant, name.session);
    for (const turn of turns) turn.abort(new TurnCancelled('its session was deleted'));
    await Promise.all(turns.map(({ done }) => done));
    const { removed } = await this.#edits.change(tenant, name, () => undefined);
    if (!removed) throw notFound(name.object, name.id);
    return removed;
  }
}
