import { within } from '../../core/within.ts';
import type { TurnEvent } from '../../session/liveTurn.ts';
import type { ErrorObject } from '../http/errorReply.ts';
import type { SseFrame } from '../sse/eventStream.ts';
import { type ChunkOptions, Chunks } from './chunks.ts';

/**
 * How long the head of a stream waits for the engine's first word. What the engine refuses it refuses before that, and an HTTP
 * status is better read than an error in a stream; but a connection that stays silent is given up by proxies.
 */
const maxHeldMs = 5_000;

export interface ChunkStreamOptions extends ChunkOptions {
  /** Called with whatever ends the stream early, once its head is out; gives what the client is told. */
  readonly onError: (error: unknown) => ErrorObject;
  readonly heldMs?: number;
}

/**
 * The events of a turn as frames: chunks, then `[DONE]`. An error before the head is out is thrown; after it, it is a frame of
 * its own and the last one.
 */
export async function* chunkStream(
  events: AsyncIterator<TurnEvent>,
  { onError, heldMs = maxHeldMs, ...options }: ChunkStreamOptions,
): AsyncGenerator<SseFrame, void> {
  const started = await events.next();
  if (started.done || started.value.type !== 'started')
    throw new Error('a turn did not begin with its start');
  const chunks = new Chunks(started.value, options);
  let pending = events.next();
  const first = await within(pending, heldMs);
  yield frameOf(chunks.first(first?.value));
  try {
    for (let next = await pending; !next.done; next = await pending) {
      yield* chunks.of(next.value).map(frameOf);
      pending = events.next();
    }
  } catch (error) {
    yield frameOf({ error: onError(error) });
    return;
  }
  yield { data: '[DONE]' };
}

const frameOf = (body: object): SseFrame => ({ data: JSON.stringify(body) });
