import type { GenerateRequest } from '../core/request.ts';

const pixelsPerTokenSide = 32;

/** One token per UTF-8 byte of text, calls and tools and per committed token id, one per 32 x 32 pixels of an image. */
export function scriptedPromptTokens({ messages, tools = [] }: GenerateRequest): {
  all: number;
  image: number;
} {
  let text = tools.length > 0 ? Buffer.byteLength(JSON.stringify(tools)) : 0;
  let image = 0;
  for (const { content, tokens, toolCalls = [] } of messages) {
    if (tokens) text += tokens.length;
    else for (const call of toolCalls) text += Buffer.byteLength(call.name + call.arguments);
    for (const part of content) {
      if (part.type === 'image') image += (part.image.width * part.image.height) / pixelsPerTokenSide ** 2;
      else if (!tokens) text += Buffer.byteLength(part.text);
    }
  }
  return { all: text + image, image };
}
