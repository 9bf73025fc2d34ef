import type { GenerateResult, Timings } from '../core/request.ts';
import { itemPlace } from './ids.ts';
import type { StoredItem } from './items.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { answerItem } from './render.ts';
import { type ResponseView, responseView } from './view.ts';

/** The response as it will be committed, and the item that holds its answer; none when nothing was to be generated. */
export function finishedResponse(
  response: ResponseRecord,
  generated: GenerateResult | undefined,
  inputCount: number,
  nowMs: number,
): { response: ResponseRecord; answer: StoredItem[] } {
  if (!generated) return { response: { ...response, status: 'completed', completedAtMs: nowMs }, answer: [] };
  const { text, tokens, finishReason, usage, timings } = generated;
  const complete = finishReason === 'stop';
  return {
    response: {
      ...response,
      status: complete ? 'completed' : 'incomplete',
      completedAtMs: nowMs,
      result: { finishReason, usage, timings: rounded(timings) },
    },
    answer: [answerItem(itemPlace(response.serial, inputCount), { text, tokens, complete })],
  };
}

/** The response as it was when its turn began. */
export function startedView(record: SessionRecord, response: ResponseRecord): ResponseView {
  const begun = {
    status: 'in_progress',
    completedAtMs: null,
    output: [],
    result: null,
    error: null,
  } as const;
  return responseView(record, { ...response, ...begun });
}

function rounded(timings: Timings): Timings {
  const entries = Object.entries(timings).map(([name, ms]) => [name, Math.round(ms * 10) / 10]);
  return Object.fromEntries(entries);
}
