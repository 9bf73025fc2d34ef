import type { EarlierReply } from './earlierReplies.ts';
import type { LiveTurn } from './liveTurn.ts';
import { startedView } from './turnResult.ts';
import { responseView } from './view.ts';

/** Gives a committed reply once more, as the events of a turn. */
export function replay({ log }: LiveTurn, { record, response, expiresAtMs }: EarlierReply): void {
  const view = responseView(record, response);
  log.append({ type: 'started', response: startedView(record, response), replayed: true });
  for (const item of view.output) {
    if (item.type === 'function_call') log.append({ type: 'functionCall', item });
    if (item.type !== 'message') continue;
    const text = item.content.map((part) => (part.type === 'input_image' ? '' : part.text)).join('');
    if (text) log.append({ type: 'delta', itemId: item.id, text });
  }
  const session = { version: record.version, expiresAtMs };
  log.append({ type: 'finished', response: view, session, replayed: true });
}
