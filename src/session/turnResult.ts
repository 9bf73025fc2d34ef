import type { GenerateResult } from '../core/request.ts';
import type { Comparison, ResponseRecord, SessionRecord } from './record.ts';
import { tierOf } from './tier.ts';
import { type ResponseView, responseView } from './view.ts';

/** The response as it will be committed. */
export function finishedResponse(
  response: ResponseRecord,
  generated: GenerateResult,
  about: { nowMs: number; droppedItems: number; comparison: Comparison | null },
): ResponseRecord {
  const { nowMs, droppedItems, comparison } = about;
  const { finishReason, usage, timings, plan } = generated;
  return {
    ...response,
    status: finishReason === 'length' ? 'incomplete' : 'completed',
    completedAtMs: nowMs,
    result: {
      finishReason,
      usage,
      timings: rounded(timings),
      tier: tierOf(usage, plan),
      ...(plan && { plan: rounded({ estimatedMs: plan.estimatedMs, actualMs: plan.actualMs }) }),
      droppedItems,
    },
    comparison,
  };
}

/** The response as it was when its turn began. */
export function startedView(record: SessionRecord, response: ResponseRecord): ResponseView {
  const begun = {
    status: 'in_progress',
    completedAtMs: null,
    output: [],
    result: null,
    comparison: null,
    error: null,
  } as const;
  return responseView(record, { ...response, ...begun });
}

function rounded<T extends object>(times: T): T {
  const entries = Object.entries(times).map(([name, ms]) => [name, Math.round(ms * 10) / 10]);
  return Object.fromEntries(entries) as T;
}
