import type { Item, MessageRole, PicturePart, TextPart } from '../../session/items.ts';
import { pictureName } from '../pictures/pictureName.ts';

/**
 * An item in OpenAI's form. `image_url` of a picture is null unless `include` has `message.input_image.image_url`. Then it is
 * the picture's name by content, which can be sent as `image_url` in its turn: the URL it came by isn't kept, and its bytes
 * would make a page of items as large as the pictures.
 */
export function wireItem(item: Item, include: ReadonlySet<string>): object {
  const { id, type, status } = item;
  if (type === 'message') {
    const { role } = item;
    return { id, type, status, role, content: item.content.map((part) => wirePart(part, include, role)) };
  }
  if (type === 'function_call') {
    return { id, type, status, call_id: item.callId, name: item.name, arguments: item.arguments };
  }
  if (type === 'function_call_output') {
    const { callId, output } = item;
    const wire = typeof output === 'string' ? output : output.map((part) => wirePart(part, include, 'user'));
    return { id, type, status, call_id: callId, output: wire };
  }
  return {
    id,
    type,
    status,
    summary: item.summary.map((text) => ({ type: 'summary_text', text })),
    ...(item.text !== null && { content: [{ type: 'reasoning_text', text: item.text }] }),
  };
}

function wirePart(part: TextPart | PicturePart, include: ReadonlySet<string>, role: MessageRole): object {
  if (part.type === 'input_image') {
    const { type, fileId, blobId, detail } = part;
    const shown = include.has('message.input_image.image_url');
    return { type, detail, file_id: fileId, image_url: shown ? pictureName(blobId) : null };
  }
  return role === 'assistant'
    ? { type: 'output_text', text: part.text, annotations: [], logprobs: [] }
    : { type: 'input_text', text: part.text };
}
