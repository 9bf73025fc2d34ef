import { Gauge, type Registry } from 'prom-client';
import type { EngineStats } from '../../core/request.ts';
import { SnapshotMetrics } from './snapshotMetrics.ts';
import { stateMetrics } from './stateMetrics.ts';

/** How the engine is when the metrics are read. Its counters begin again when its process does. */
export class EngineMetrics {
  readonly #up: Gauge;
  readonly #values: SnapshotMetrics<EngineStats>;

  constructor(registry: Registry) {
    this.#up = new Gauge({
      name: 'afterimage_engine_up',
      help: '1 when the engine answered within a second, else 0 and none of its other metrics.',
      registers: [registry],
    });
    this.#values = new SnapshotMetrics(registry, [
      {
        name: 'afterimage_engine_running',
        help: 'Requests the engine works on.',
        type: 'gauge',
        values: ({ running }) => ({ '': running }),
      },
      {
        name: 'afterimage_engine_waiting',
        help: 'Requests that wait for the engine.',
        type: 'gauge',
        values: ({ waiting }) => ({ '': waiting }),
      },
      {
        name: 'afterimage_engine_idle_sequences',
        help: 'Sequences kept in the attention cache for a next turn.',
        type: 'gauge',
        values: ({ idleSequences }) => ({ '': idleSequences }),
      },
      {
        name: 'afterimage_engine_dropped_sequences_total',
        help: 'Idle sequences dropped to make room.',
        type: 'counter',
        values: ({ droppedSequences }) => ({ '': droppedSequences }),
      },
      {
        name: 'afterimage_engine_kv_cells',
        help: 'Tokens the attention cache has room for.',
        type: 'gauge',
        values: ({ kvCellsTotal }) => ({ '': kvCellsTotal }),
      },
      {
        name: 'afterimage_engine_kv_cells_used',
        help: 'Tokens the attention cache holds.',
        type: 'gauge',
        values: ({ kvCellsUsed }) => ({ '': kvCellsUsed }),
      },
      {
        name: 'afterimage_engine_bytes',
        help: 'What the engine holds: picture features and attention state in memory, both on disk, and all memory of its process.',
        type: 'gauge',
        label: 'kind',
        values: ({ featureBytes, stateBytes, diskBytes, residentBytes }) => ({
          features: featureBytes,
          state: stateBytes,
          disk: diskBytes,
          resident: residentBytes,
        }),
      },
      ...stateMetrics,
      {
        name: 'afterimage_engine_restored_sequences_total',
        help: 'How often attention state was brought back from outside the cache.',
        type: 'counter',
        values: ({ restoredSequences }) => ({ '': restoredSequences }),
      },
      {
        name: 'afterimage_engine_encoder_calls_total',
        help: 'Pictures that went through the vision encoder.',
        type: 'counter',
        values: ({ encoderCalls }) => ({ '': encoderCalls }),
      },
      {
        name: 'afterimage_engine_restarts_total',
        help: 'How often the engine process was started again after it died.',
        type: 'counter',
        values: ({ restarts }) => ({ '': restarts }),
      },
    ]);
  }

  set(stats: EngineStats | undefined): void {
    this.#up.set(stats === undefined ? 0 : 1);
    this.#values.set(stats);
  }
}
