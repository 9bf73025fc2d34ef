import type { ChatMessage, ContentPart, ImageSource } from '../core/request.ts';
import { outputsOfCalls } from './functionCalls.ts';
import { partsOf, type StoredItem } from './items.ts';
import { unpackTokens } from './packedTokens.ts';

type PictureOf = (number: number) => ImageSource;
type Call = Extract<StoredItem, { type: 'function_call' }>;

/**
 * The messages the engine sees. Instructions and the system messages that items begin with become one system message:
 * templates take one, at the start. Calls stand with the text before them, their outputs right after them, in their order.
 * Reasoning is left out, and so is what an erased item leaves behind: an output without its call, a call without its output.
 */
export function renderItems(
  items: readonly StoredItem[],
  { instructions, picture }: { instructions: string | null; picture: PictureOf },
): ChatMessage[] {
  const outputs = outputsOfCalls(items);
  const shown = items.filter(({ type }) => type !== 'reasoning');
  const firstTalk = shown.findIndex((item) => !isSystem(item));
  const leading = shown.slice(0, firstTalk < 0 ? shown.length : firstTalk);
  const system = [
    ...(instructions ? [[{ type: 'text', text: instructions } as const]] : []),
    ...leading.map((item) => contentOf(item, picture)),
  ];
  const messages: ChatMessage[] = [];
  if (system.length > 0) {
    const content = system.flatMap((parts, index) =>
      index === 0 ? parts : [{ type: 'text', text: '\n\n' } as const, ...parts],
    );
    messages.push({ role: 'system', content });
  }
  for (let at = leading.length; at < shown.length; at++) {
    const head = shown[at] as StoredItem;
    if (head.type === 'function_call_output') continue;
    if (head.type === 'message' && head.role !== 'assistant') {
      messages.push({ role: isSystem(head) ? 'system' : 'user', content: contentOf(head, picture) });
      continue;
    }
    const calls = callsOfAnswer(shown, at);
    at += calls.length - (head.type === 'function_call' ? 1 : 0);
    const answered = calls.filter((call) => outputs.has(call));
    if (head.type === 'message' || answered.length > 0) messages.push(assistantMessage(head, answered));
    for (const call of answered) {
      const output = outputs.get(call) as StoredItem;
      messages.push({ role: 'tool', content: contentOf(output, picture) });
    }
  }
  return messages;
}

export const isSystem = (item: StoredItem): boolean =>
  item.type === 'message' && (item.role === 'system' || item.role === 'developer');

/** The calls that belong to the item at this index, itself if it is one. */
function callsOfAnswer(shown: readonly StoredItem[], at: number): Call[] {
  const head = shown[at] as StoredItem;
  const calls: Call[] = head.type === 'function_call' ? [head] : [];
  // With its tokens an answer says how many it has; what came from outside has all that stand together.
  const limit = head.tokens === undefined ? Number.POSITIVE_INFINITY : (head.calls ?? 0);
  for (let next = at + 1; calls.length < limit; next++) {
    const item = shown[next];
    if (item?.type !== 'function_call' || item.tokens !== undefined) break;
    if (head.tokens !== undefined && serialOf(item) !== serialOf(head)) break;
    calls.push(item);
  }
  return calls;
}

function assistantMessage(head: StoredItem, calls: readonly Call[]): ChatMessage {
  const toolCalls = calls.map(({ name, arguments: text }) => ({ name, arguments: text }));
  const isWhole = calls.length === (head.calls ?? 0);
  return {
    role: 'assistant',
    content: partsOf(head).flatMap((part) => (part.type === 'input_image' ? [] : textPart(part.text))),
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(head.tokens !== undefined && isWhole && { tokens: unpackTokens(head.tokens) }),
  };
}

function contentOf(item: StoredItem, picture: PictureOf): readonly ContentPart[] {
  if (item.type === 'function_call_output' && typeof item.output === 'string') return [textPart(item.output)];
  return partsOf(item).map((part) =>
    part.type === 'input_image' ? { type: 'image', image: picture(part.picture) } : textPart(part.text),
  );
}

const textPart = (text: string): ContentPart => ({ type: 'text', text });
const serialOf = ({ place }: StoredItem): string => place.slice(0, place.indexOf('i'));
