import type { InputItem, InputPicturePart, TextPart } from '../../session/items.ts';
import type { WireInput, WireItem, WirePart } from './inputSchema.ts';
import { type PictureContext, RequestPictures } from './requestPictures.ts';

type Role = Extract<WireItem, { type: 'message' }>['role'];

export interface InputContext extends PictureContext {
  /** The body's field that the items came in. Default `input`. */
  readonly field?: string;
}

/**
 * Items as sessions take them. Pictures that came in the request are counted, then stored, each once however often it is shown;
 * what they hold is looked at by the session that takes them in.
 * @throws rate_limit_exceeded, invalid_parameter, image_file_too_large, picture_url_disabled and its neighbours
 */
export async function toInputItems(input: WireInput, context: InputContext): Promise<InputItem[]> {
  const items: readonly WireItem[] =
    typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : input;
  const { field = 'input' } = context;
  const pictures = new RequestPictures(context);
  for (const [index, item] of items.entries()) {
    for (const [at, part] of partsOf(item).entries()) {
      if (part.type !== 'input_image' || !part.image_url) continue;
      pictures.add(part.image_url, `${field}${pathOf(items, index, at)}`);
    }
  }
  await pictures.store();
  return items.map((item) => inputItem(item, pictures));
}

function inputItem(item: WireItem, pictures: RequestPictures): InputItem {
  switch (item.type) {
    case 'message': {
      const { type, role, content } = item;
      const parts = typeof content === 'string' ? [{ type: 'input_text' as const, text: content }] : content;
      return { type, role, content: parts.map((part) => inputPart(part, role, pictures)) };
    }
    case 'function_call':
      return { type: item.type, callId: item.call_id, name: item.name, arguments: item.arguments };
    case 'function_call_output': {
      const { type, call_id: callId, output } = item;
      if (typeof output === 'string') return { type, callId, output };
      return { type, callId, output: output.map((part) => inputPart(part, 'user', pictures)) };
    }
    case 'reasoning': {
      const texts = item.content?.map(({ text }) => text) ?? [];
      return {
        type: item.type,
        summary: item.summary.map(({ text }) => text),
        text: texts.length > 0 ? texts.join('') : null,
      };
    }
    case 'item_reference':
      return { type: item.type, id: item.id };
  }
}

/** Text of the assistant is output whatever it was sent as; a refusal is what it said. */
function inputPart(part: WirePart, role: Role, pictures: RequestPictures): TextPart | InputPicturePart {
  if (part.type === 'input_image') {
    const { type, detail, image_url: url, file_id: fileId } = part;
    const source = url ? { blobId: pictures.blobIdOf(url) } : { fileId: fileId as string };
    return { type, ...source, ...(detail && { detail }) };
  }
  const text = part.type === 'refusal' ? part.refusal : part.text;
  return { type: role === 'assistant' ? 'output_text' : 'input_text', text };
}

function partsOf(item: WireItem): readonly WirePart[] {
  if (item.type === 'message' && typeof item.content !== 'string') return item.content;
  if (item.type === 'function_call_output' && typeof item.output !== 'string') return item.output;
  return [];
}

function pathOf(items: readonly WireItem[], item: number, part: number): string {
  const field = items[item]?.type === 'message' ? 'content' : 'output';
  return `[${item}].${field}[${part}].image_url`;
}
