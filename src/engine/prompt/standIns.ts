import { failure } from '../../core/errors.ts';
import type { ImageSource } from '../../core/request.ts';
import type { PromptMessage, PromptPart } from './toolPrompt.ts';

/** A piece of a conversation that the template places but never sees. */
export type Item = { readonly message: number } & (
  | { readonly kind: 'text'; readonly parts: readonly TextPart[] }
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }
  | { readonly kind: 'image'; readonly image: ImageSource }
);

type TextPart = Exclude<PromptPart, { type: 'image' }>;

/** A message as chat templates expect it; every text in it is a sentinel. */
export interface TemplateMessage {
  readonly role: PromptMessage['role'];
  readonly content: string | readonly TemplatePart[];
}

type TemplatePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: string };

/**
 * Takes the content out of a conversation. A message of text alone gets one sentinel as its content, one with images
 * a list; committed tokens stand for their whole message.
 * @throws invalid_parameter when tokens are given where they can't stand for the content.
 */
export function takeContent(
  messages: readonly PromptMessage[],
  sentinel: (item: number) => string,
): { items: Item[]; templateMessages: TemplateMessage[] } {
  const items: Item[] = [];
  const add = (item: Item): string => sentinel(items.push(item) - 1);
  const templateMessages = messages.map(({ role, content, tokens, source: message }): TemplateMessage => {
    const hasImages = content.some((part) => part.type === 'image');
    if (tokens) {
      if (role !== 'assistant' || hasImages) {
        throw failure('invalid_parameter', {
          param: `messages[${message}].tokens`,
          problem: 'only an assistant message without pictures can have tokens',
        });
      }
      return { role, content: add({ kind: 'tokens', message, tokens }) };
    }
    if (hasImages) {
      const parts = content.map(
        (part): TemplatePart =>
          part.type === 'image'
            ? { type: 'image', image: add({ kind: 'image', message, image: part.image }) }
            : { type: 'text', text: add({ kind: 'text', message, parts: [part] }) },
      );
      return { role, content: parts };
    }
    const parts = content.filter((part) => part.type !== 'image');
    return { role, content: add({ kind: 'text', message, parts }) };
  });
  return { items, templateMessages };
}

/** The same messages with the images of all but one taken out; their texts stay. */
export function withImagesOfOnly(message: number, messages: readonly PromptMessage[]): PromptMessage[] {
  return messages.map((other, index) =>
    index === message ? other : { ...other, content: other.content.filter((part) => part.type !== 'image') },
  );
}

/**
 * Checks that a template put every item into the prompt exactly once, and kept the items of one message together.
 * The second is what makes it safe to tell images apart by their order alone: were two messages with text swapped, an
 * image would stand away from its text.
 * @param order item numbers as they stand in the prompt
 * @throws invalid_parameter naming the first message that lost or repeats something.
 */
export function checkPlacement(order: readonly number[], items: readonly Item[]): void {
  const place = new Array<number>(items.length).fill(-1);
  for (const [position, item] of order.entries()) {
    if (place[item] !== -1) reject(items[item] as Item, 'repeats it');
    place[item] = position;
  }
  let start = 0;
  for (const [index, item] of items.entries()) {
    if (place[index] === -1) reject(item, 'leaves it out');
    if (items[index + 1]?.message === item.message) continue;
    const places = place.slice(start, index + 1);
    places.sort((a, b) => a - b);
    if ((places.at(-1) as number) - (places[0] as number) !== index - start) reject(item, 'takes it apart');
    start = index + 1;
  }
}

function reject(item: Item, what: string): never {
  throw failure('invalid_parameter', {
    param: `messages[${item.message}].content`,
    problem: `the model's chat template ${what} (${item.kind === 'image' ? 'a picture' : 'text'})`,
  });
}
