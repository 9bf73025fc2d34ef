import type { EngineStats } from '../../core/request.ts';
import type { Reading } from './snapshotMetrics.ts';

/** How the engine's tiers do: what is kept, which ways back were taken, what was lost or not let in. */
export const stateMetrics: readonly Reading<EngineStats>[] = [
  {
    name: 'afterimage_engine_checkpoints',
    help: 'Prompts whose attention state is kept outside the attention cache.',
    type: 'gauge',
    values: ({ checkpoints }) => ({ '': checkpoints }),
  },
  {
    name: 'afterimage_engine_plans_total',
    help: 'Requests by where their attention state was taken from: the cache, memory, disk, or nowhere.',
    type: 'counter',
    label: 'tier',
    values: ({ plans }) => plans.byTier,
  },
  {
    name: 'afterimage_engine_plan_seconds_total',
    help: 'What loading, encoding and prefill were estimated to take, what they took, and how far the estimates were off.',
    type: 'counter',
    label: 'kind',
    values: ({ plans }) => ({
      estimated: plans.estimatedMs / 1_000,
      actual: plans.actualMs / 1_000,
      error: plans.errorMs / 1_000,
    }),
  },
  {
    name: 'afterimage_engine_lost_checkpoints_total',
    help: 'Attention state that was dropped for want of room before it was on disk; it is computed again.',
    type: 'counter',
    values: ({ lostCheckpoints }) => ({ '': lostCheckpoints }),
  },
  {
    name: 'afterimage_engine_disk_failures_total',
    help: 'Writes of state to disk that failed.',
    type: 'counter',
    values: ({ diskFailures }) => ({ '': diskFailures }),
  },
  {
    name: 'afterimage_engine_refused_objects_total',
    help: 'Objects on disk that were not let in: damaged, replaced by another file, outdated, under another key, missing.',
    type: 'counter',
    label: 'reason',
    values: ({ refusedObjects }) => refusedObjects,
  },
];
