import type { ChatMessage, ContentPart, GenerateRequest, ImageSource } from '../../core/request.ts';
import { imageKey } from '../prompt/imageKey.ts';

/** An image as it crosses the process border: its pixels follow only when the engine asks for them. */
export type WireImage = Omit<ImageSource, 'pixels'>;

export type WireContentPart =
  | Extract<ContentPart, { type: 'text' }>
  | { readonly type: 'image'; readonly image: WireImage };

export interface WireMessage extends Omit<ChatMessage, 'content'> {
  readonly content: readonly WireContentPart[];
}

export interface WireRequest extends Omit<GenerateRequest, 'messages'> {
  readonly messages: readonly WireMessage[];
}

export function toWireRequest(request: GenerateRequest): WireRequest {
  return {
    ...request,
    messages: request.messages.map((message) => ({
      ...message,
      content: message.content.map((part) => {
        if (part.type === 'text') return part;
        const { digest, width, height } = part.image;
        return { type: 'image', image: { digest, width, height } };
      }),
    })),
  };
}

export function fromWireRequest(
  request: WireRequest,
  fetchPixels: (imageKey: string) => Promise<Uint8Array>,
): GenerateRequest {
  return {
    ...request,
    messages: request.messages.map((message) => ({
      ...message,
      content: message.content.map((part) => {
        if (part.type === 'text') return part;
        const key = imageKey(part.image);
        return { type: 'image', image: { ...part.image, pixels: () => fetchPixels(key) } };
      }),
    })),
  };
}

export function imagesOf(request: GenerateRequest): Map<string, ImageSource> {
  const images = new Map<string, ImageSource>();
  for (const message of request.messages) {
    for (const part of message.content) {
      if (part.type === 'image') images.set(imageKey(part.image), part.image);
    }
  }
  return images;
}
