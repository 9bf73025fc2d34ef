import { failure } from '../../core/errors.ts';
import type { WireItem, WirePart } from '../items/inputSchema.ts';
import type { AssistantBody, ChatMessageBody, ChatPart } from './messageSchema.ts';

/** An item and the field of the request that it was made from: `messages[2]` or `messages[2].tool_calls[0]`. */
export interface PlacedItem {
  readonly item: WireItem;
  readonly field: string;
}

type MessageItem = Extract<WireItem, { type: 'message' }>;

/**
 * Messages as input items: one of the assistant becomes its text and an item for each of its calls, one of a tool becomes a
 * call's output.
 * @throws missing_parameter for a message of the assistant with nothing in it
 */
export function toInput(messages: readonly ChatMessageBody[]): PlacedItem[] {
  return messages.flatMap((message, index): PlacedItem[] => {
    const field = `messages[${index}]`;
    if (message.role === 'assistant') return assistantItems(message, field);
    if (message.role === 'tool') {
      const { tool_call_id: call_id, content } = message;
      const output = typeof content === 'string' ? content : content.map(seenPart);
      return [{ item: { type: 'function_call_output', call_id, output }, field }];
    }
    const { role, content } = message;
    const parts = typeof content === 'string' ? content : content.map(seenPart);
    return [{ item: { type: 'message', role, content: parts }, field }];
  });
}

function assistantItems(message: AssistantBody, field: string): PlacedItem[] {
  const { content, refusal, tool_calls: calls } = message;
  const said = contentOf(content, refusal);
  const items: PlacedItem[] = (calls ?? []).map(({ id, function: called }, index) => ({
    item: { type: 'function_call', call_id: id, ...called },
    field: `${field}.tool_calls[${index}]`,
  }));
  // Many clients send '' with calls where there was no text.
  if (said !== undefined && !(said === '' && items.length > 0)) {
    items.unshift({ item: { type: 'message', role: 'assistant', content: said }, field });
  }
  if (items.length === 0) throw failure('missing_parameter', { param: `${field}.content` });
  return items;
}

/** Undefined: there is no text. */
function contentOf(
  content: AssistantBody['content'],
  refusal: AssistantBody['refusal'],
): MessageItem['content'] | undefined {
  if (refusal === null || refusal === undefined) {
    return typeof content === 'string' ? content : content?.map(saidPart);
  }
  const refused: WirePart = { type: 'refusal', refusal };
  if (content === null || content === undefined || content === '') return [refused];
  return [...(typeof content === 'string' ? [saidText(content)] : content.map(saidPart)), refused];
}

const saidText = (text: string) => ({ type: 'output_text' as const, text });

function saidPart(part: Exclude<ChatPart, { type: 'image_url' }>) {
  return part.type === 'refusal' ? part : saidText(part.text);
}

function seenPart(part: Exclude<ChatPart, { type: 'refusal' }>) {
  if (part.type === 'text') return { type: 'input_text' as const, text: part.text };
  const { url, detail } = part.image_url;
  const source = url.startsWith('file-') ? { file_id: url } : { image_url: url };
  return { type: 'input_image' as const, ...source, ...(detail && { detail }) };
}
