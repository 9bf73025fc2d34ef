import { generateAnswer } from './generateAnswer.ts';
import { itemIdOf, itemPlace, newSession } from './ids.ts';
import type { LiveTurn } from './liveTurn.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { commitTurn, newRecord } from './recordEdits.ts';
import { draftTurn } from './turnDraft.ts';
import type { TurnParts } from './turnParts.ts';
import { baseOf, turnDigest } from './turnRequest.ts';
import { finishedResponse, startedView } from './turnResult.ts';
import { type ResponseView, responseView } from './view.ts';

/**
 * A turn of which nothing is kept (`store: false`). It may build on a session and doesn't wait for its turns: the session is
 * only read. Its response has an id that leads nowhere.
 */
export async function runUnstored(turn: LiveTurn, parts: TurnParts): Promise<void> {
  const { tenant, request, log } = turn;
  const { sessions, clock, config, pictures, engine } = parts;
  const base = baseOf(request);
  const session = newSession();
  const nowMs = clock.nowMs();
  const before: SessionRecord = base
    ? (await sessions.get(tenant, base.session, base.type, base.id)).record
    : newRecord(session, { nowMs, idleTtlMs: config.idleTtlMs, conversation: null });
  const draft = await draftTurn(
    { tenant, request, base },
    { ...before, session },
    {
      requestDigest: turnDigest(request),
      pointer: null,
      nowMs,
      pictures,
    },
  );
  // The record has another session's id by now, so what it says of the base is put right.
  const seen = (view: ResponseView): ResponseView => ({
    ...view,
    previousResponseId: request.previousResponseId ?? null,
    conversationId: request.conversationId ?? null,
  });

  const started = seen(startedView(draft.record, draft.response));
  log.append({ type: 'started', response: started, replayed: false });
  const itemId = itemIdOf('message', session, itemPlace(draft.response.serial, request.input.length));
  const generated = await generateAnswer(engine, draft.generate, {
    prewarm: false,
    signal: turn.signal,
    limitMs: config.maxTurnMs,
    onDelta: (text) => log.append({ type: 'delta', itemId, text }),
  });
  const { response, answer } = finishedResponse(
    draft.response,
    generated,
    request.input.length,
    clock.nowMs(),
  );
  const record = commitTurn(draft.record, response, answer);
  const finished = seen(responseView(record, record.responses.at(-1) as ResponseRecord));
  log.append({ type: 'finished', response: finished, session: null, replayed: false });
}
