import { newSession } from './ids.ts';
import type { LiveTurn } from './liveTurn.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { commitTurn, newRecord } from './recordEdits.ts';
import { runDraft } from './runDraft.ts';
import { draftTurn, type TurnDraft } from './turnDraft.ts';
import type { TurnParts } from './turnParts.ts';
import { baseOf, type TurnRequest, turnDigest } from './turnRequest.ts';
import { startedView } from './turnResult.ts';
import { type ResponseView, responseView } from './view.ts';

/** A draft that nothing will be written of. It doesn't wait for the turns of its session: that is only read. */
export async function draftUnstored(
  tenant: string,
  request: TurnRequest,
  parts: Pick<TurnParts, 'sessions' | 'clock' | 'config' | 'pictures' | 'engine'>,
): Promise<TurnDraft> {
  const { sessions, clock, config, pictures, engine } = parts;
  const base = baseOf(request);
  const session = newSession();
  const nowMs = clock.nowMs();
  const before: SessionRecord = base
    ? (await sessions.get(tenant, base.session, base.type, base.id)).record
    : newRecord(session, { nowMs, idleTtlMs: config.idleTtlMs, conversation: null });
  return draftTurn(
    { tenant, request, base },
    { ...before, session },
    { requestDigest: turnDigest(request), pointer: null, nowMs, pictures, sessions, engine },
  );
}

/** A turn of which nothing is kept (`store: false`). It may build on a session. Its response has an id that leads nowhere. */
export async function runUnstored(turn: LiveTurn, parts: TurnParts): Promise<void> {
  const { tenant, request, log } = turn;
  const draft = await draftUnstored(tenant, request, parts);
  // The record has another session's id by now, so what it says of the base is put right.
  const seen = (view: ResponseView): ResponseView => ({
    ...view,
    previousResponseId: request.previousResponseId ?? null,
    conversationId: request.conversationId ?? null,
  });
  const { session } = draft.record;
  // Under the name of a session that never is: they must be there for as long as the engine may ask for them.
  await parts.sessions.hold(tenant, session, draft.toHold);
  log.append({
    type: 'started',
    response: seen(startedView(draft.record, draft.response)),
    replayed: false,
  });
  const { response, items, vectors } = await runDraft(turn, draft, parts).finally(() =>
    parts.sessions.letGo(tenant, session, draft.toHold).catch(parts.onProblem),
  );
  const record = commitTurn(draft.record, response, items, vectors);
  const finished = seen(responseView(record, record.responses.at(-1) as ResponseRecord));
  log.append({ type: 'finished', response: finished, session: null, replayed: false });
}
