import type { ImageVector } from '../core/imageVector.ts';
import { Answer } from './answer.ts';
import { compare, otherPrompt } from './comparison.ts';
import { generateAnswer } from './generateAnswer.ts';
import type { StoredItem } from './items.ts';
import type { LiveTurn } from './liveTurn.ts';
import { packTokens } from './packedTokens.ts';
import type { ResponseRecord } from './record.ts';
import type { TurnDraft } from './turnDraft.ts';
import type { TurnParts } from './turnParts.ts';
import { finishedResponse } from './turnResult.ts';

/**
 * Has the engine answer a draft; the answer's events go to the turn's log as they come. Gives the response as it is to be
 * committed, its items, and vectors of the pictures it was shown.
 * @throws turn_timeout, the signal's reason, and what the engine throws
 */
export async function runDraft(
  { tenant, request, log, signal }: LiveTurn,
  { record, response, generate, droppedItems }: TurnDraft,
  parts: TurnParts,
): Promise<{ response: ResponseRecord; items: StoredItem[]; vectors: readonly ImageVector[] }> {
  const { engine, config, clock, failpoint } = parts;
  const { comparisonResponseId, prewarm = false } = request;
  const other =
    comparisonResponseId === undefined
      ? undefined
      : await otherPrompt(tenant, comparisonResponseId, { generate, response }, parts);
  const answer = new Answer(record.session, response.serial, request.input.length);
  const deltaLengths: number[] = [];
  const generated = await generateAnswer(engine, generate, {
    prewarm,
    signal,
    limitMs: config.maxTurnMs,
    onDelta: async (text) => {
      log.append({ type: 'delta', itemId: answer.messageId, text });
      if (deltaLengths.push(text.length) === 1) await failpoint('first-delta');
    },
    onCall: (call) => log.append({ type: 'functionCall', item: answer.addCall(call) }),
  });
  const finished = finishedResponse(response, generated, {
    nowMs: clock.nowMs(),
    droppedItems,
    comparison: other ? compare(other, generated.usage) : null,
  });
  const items = prewarm ? [] : answer.items(generated);
  const isCut = request.idempotencyKey !== undefined && deltaLengths.length > 1;
  const kept = isCut ? { ...finished, deltas: packTokens(deltaLengths) } : finished;
  return { response: kept, items, vectors: generated.imageVectors ?? [] };
}
