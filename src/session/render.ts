import { failure } from '../core/errors.ts';
import type { ChatMessage, ContentPart, ImageSource } from '../core/request.ts';
import type { MessageRole, StoredItem } from './items.ts';
import { packTokens, unpackTokens } from './packedTokens.ts';

type StoredMessage = Extract<StoredItem, { type: 'message' }>;

/**
 * The messages the engine sees. Instructions and the system messages that items begin with become one system message:
 * templates take one, at the start. Reasoning is left out.
 *
 * @throws invalid_parameter for function calls, which no template is given yet.
 */
export function renderItems(
  items: readonly StoredItem[],
  { instructions, picture }: { instructions: string | null; picture: (number: number) => ImageSource },
): ChatMessage[] {
  const messages = items.flatMap((item): StoredMessage[] => {
    if (item.type === 'message') return [item];
    if (item.type === 'reasoning') return [];
    throw failure('invalid_parameter', { param: 'tools', problem: 'function calls are not supported yet' });
  });
  const firstTalk = messages.findIndex(({ role }) => roleOf(role) !== 'system');
  const leading = messages.slice(0, firstTalk < 0 ? messages.length : firstTalk);
  const system = [
    ...(instructions ? [[{ type: 'text', text: instructions } as const]] : []),
    ...leading.map(({ content }) => partsOf(content, picture)),
  ];
  const rendered = messages.slice(leading.length).map((message): ChatMessage => {
    const content = partsOf(message.content, picture);
    const role = roleOf(message.role);
    return message.tokens === undefined
      ? { role, content }
      : { role, content, tokens: unpackTokens(message.tokens) };
  });
  if (system.length === 0) return rendered;
  const content = system.flatMap((parts, index) =>
    index === 0 ? parts : [{ type: 'text', text: '\n\n' } as const, ...parts],
  );
  return [{ role: 'system', content }, ...rendered];
}

/** The item an answer is kept as. */
export function answerItem(
  place: string,
  answer: { text: string; tokens: readonly number[]; complete: boolean },
): StoredItem {
  return {
    place,
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text: answer.text }],
    ...(answer.complete ? {} : { status: 'incomplete' as const }),
    tokens: packTokens(answer.tokens),
  };
}

function roleOf(role: MessageRole): ChatMessage['role'] {
  return role === 'developer' ? 'system' : role;
}

function partsOf(
  content: StoredMessage['content'],
  picture: (number: number) => ImageSource,
): readonly ContentPart[] {
  return content.map((part) =>
    part.type === 'input_image'
      ? { type: 'image', image: picture(part.picture) }
      : { type: 'text', text: part.text },
  );
}
