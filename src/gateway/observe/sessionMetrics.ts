import { Gauge, type Registry } from 'prom-client';
import type { SessionStats } from '../../session/sessionManager.ts';
import { SnapshotMetrics } from './snapshotMetrics.ts';

/** How the sessions are when the metrics are read. */
export class SessionMetrics {
  readonly #up: Gauge;
  readonly #values: SnapshotMetrics<SessionStats>;

  constructor(registry: Registry) {
    this.#up = new Gauge({
      name: 'afterimage_store_up',
      help: '1 when the sessions could be counted within a second, else 0 and none of their metrics.',
      registers: [registry],
    });
    this.#values = new SnapshotMetrics(registry, [
      {
        name: 'afterimage_sessions',
        help: 'Stored sessions, those included that expired since the last sweep.',
        type: 'gauge',
        values: ({ sessions }) => ({ '': sessions }),
      },
      {
        name: 'afterimage_running_turns',
        help: 'Turns that run, in the background or for a reader.',
        type: 'gauge',
        values: ({ runningTurns }) => ({ '': runningTurns }),
      },
      {
        name: 'afterimage_session_bytes',
        help: 'Memory of the sessions: events of background turns, and pictures at model size.',
        type: 'gauge',
        label: 'kind',
        values: ({ eventLogBytes, cachedPixelBytes }) => ({
          events: eventLogBytes,
          pixels: cachedPixelBytes,
        }),
      },
      {
        name: 'afterimage_stored_bytes',
        help: 'Blobs on disk, of all tenants.',
        type: 'gauge',
        label: 'kind',
        values: ({ blobBytes }) => blobBytes,
      },
      {
        name: 'afterimage_session_turns_total',
        help: 'Turns by what became of them: committed, abandoned without a commit, or replayed instead of run again.',
        type: 'counter',
        label: 'kind',
        values: ({ commits, abandoned, replays }) => ({ committed: commits, abandoned, replayed: replays }),
      },
      {
        name: 'afterimage_sessions_ended_total',
        help: 'Sessions that ended: expired, or deleted by their owner.',
        type: 'counter',
        label: 'kind',
        values: ({ sessionsExpired, sessionsDeleted }) => ({
          expired: sessionsExpired,
          deleted: sessionsDeleted,
        }),
      },
    ]);
  }

  set(stats: SessionStats | undefined): void {
    this.#up.set(stats === undefined ? 0 : 1);
    this.#values.set(stats);
  }
}
