import { AfterimageError, failure } from '../core/errors.ts';
import { TurnCancelled, type TurnEvent } from './liveTurn.ts';
import type { ResponseRecord } from './record.ts';
import type { OpenSession } from './sessionStore.ts';
import { responseView } from './view.ts';

/** The event that acknowledges what was just written. */
export function finishedEvent({ record, expiresAtMs }: OpenSession): TurnEvent {
  return {
    type: 'finished',
    response: responseView(record, record.responses.at(-1) as ResponseRecord),
    session: { version: record.version, expiresAtMs },
    replayed: false,
  };
}

/** What a background turn becomes that an error has ended. */
export function endOf(error: unknown): Pick<ResponseRecord, 'status' | 'error'> {
  if (error instanceof TurnCancelled) return { status: 'cancelled', error: null };
  const { code, message } = error instanceof AfterimageError ? error : failure('turn_interrupted', {});
  return { status: 'failed', error: { code, message } };
}
