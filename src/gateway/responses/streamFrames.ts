import type { Logger } from 'pino';
import { TurnCancelled, type TurnEvent } from '../../session/liveTurn.ts';
import { errorReply } from '../http/errorReply.ts';
import type { SseFrame } from '../sse/eventStream.ts';
import { type StreamEvent, StreamEvents } from './streamEvents.ts';

/**
 * The frames of a response's stream, `[DONE]` last. What `events` throws before its first event is thrown; later it becomes an
 * `error` event, of what `inTerms` makes of it. Frames up to number `startingAfter` are made and left out.
 */
export async function* streamFrames(
  events: AsyncIterable<TurnEvent>,
  options: {
    include: ReadonlySet<string>;
    logger: Logger;
    startingAfter?: number;
    inTerms?: (thrown: unknown) => unknown;
  },
): AsyncGenerator<SseFrame, void> {
  const { startingAfter = -1, logger, inTerms = (thrown) => thrown } = options;
  const stream = new StreamEvents(options.include);
  const missed = ({ sequence_number }: StreamEvent) => sequence_number > startingAfter;
  let hasBegun = false;
  try {
    for await (const event of events) {
      hasBegun = true;
      for (const made of stream.of(event).filter(missed)) yield frameOf(made);
    }
  } catch (thrown) {
    if (!hasBegun) throw thrown;
    const { error, status } = errorReply(inTerms(thrown));
    // A cancelled turn has no reader left who could be told, and nothing went wrong with it.
    if (status >= 500 && !(thrown instanceof TurnCancelled))
      logger.error({ err: thrown }, 'stream broken off');
    yield frameOf(stream.error(error));
  }
  yield { data: '[DONE]' };
}

function frameOf(event: StreamEvent): SseFrame {
  return { event: event.type, data: JSON.stringify(event) };
}
