import type { EarlierReply } from './earlierReplies.ts';
import type { LiveTurn } from './liveTurn.ts';
import { unpackTokens } from './packedTokens.ts';
import { startedView } from './turnResult.ts';
import { responseView } from './view.ts';

/** Gives a committed reply once more, as the events of its turn; without an idempotency key, its text as one delta. */
export function replay({ log }: LiveTurn, { record, response, expiresAtMs }: EarlierReply): void {
  const view = responseView(record, response);
  log.append({ type: 'started', response: startedView(record, response), replayed: true });
  for (const item of view.output) {
    if (item.type === 'function_call') log.append({ type: 'functionCall', item });
    if (item.type !== 'message') continue;
    const text = item.content.map((part) => (part.type === 'input_image' ? '' : part.text)).join('');
    for (const piece of pieces(text, unpackTokens(response.deltas ?? ''))) {
      log.append({ type: 'delta', itemId: item.id, text: piece });
    }
  }
  const session = { version: record.version, expiresAtMs };
  log.append({ type: 'finished', response: view, session, replayed: true });
}

/** The text cut into pieces of these lengths; whatever they leave over is one more piece. */
function pieces(text: string, lengths: readonly number[]): string[] {
  const cut: string[] = [];
  let rest = text;
  for (const length of [...lengths, text.length]) {
    cut.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return cut.filter((piece) => piece !== '');
}
