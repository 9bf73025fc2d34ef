import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteTokenizer } from '../../../test/helpers/byteTokenizer.ts';
import { embeddedTemplate, qwen3VlTemplate } from '../../../test/helpers/chatTemplates.ts';
import { picture, plainText, unruly } from '../../../test/helpers/conversations.ts';
import type { ChatMessage, ContentPart } from '../../core/request.ts';
import type { FunctionTool, ToolCall } from '../../core/tools.ts';
import { ChatTemplate } from './chatTemplate.ts';
import { commonPrefix, totalCells } from './commonPrefix.ts';
import type { Segment } from './segment.ts';

/** As in the vocabularies of Qwen3-VL. */
const words = ['<tool_call>', '</tool_call>', '<tool_response>', '</tool_response>'];
const tokenizer = {
  ...byteTokenizer,
  specials: new Map([...byteTokenizer.specials, ...words.map((word, index) => [word, 20 + index] as const)]),
};
const specials = new Set(tokenizer.specials.values());

function chatTemplate(source: string): ChatTemplate {
  return new ChatTemplate({ source, path: 'model.gguf', tokenizer, imageTokenPixels: 32 });
}

function flat(segments: readonly Segment[]): (number | string)[] {
  return segments.flatMap<number | string>((segment) =>
    segment.kind === 'text' ? segment.tokens : segment.key,
  );
}

/** A conversation in which functions are called: tools, an optional system message, then rounds. */
function toolConversations(text: fc.Arbitrary<string>, images: fc.Arbitrary<ContentPart[]>) {
  const part = text.map((value): ContentPart => ({ type: 'text', text: value }));
  const tool: fc.Arbitrary<FunctionTool> = fc.record(
    {
      name: fc.constantFrom('look', 'count', 'find-it'),
      description: text,
      parameters: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant([1, { a: null }])), {
        maxKeys: 3,
      }),
    },
    { requiredKeys: ['name', 'description', 'parameters'] },
  );
  const call = fc.record({
    name: fc.constantFrom('look', 'count'),
    arguments: fc.dictionary(text, text, { maxKeys: 2 }).map((value) => JSON.stringify(value)),
  });
  const result = fc.tuple(part, images).map(([words, pictures]) => [words, ...pictures]);
  const round = fc.record({
    question: part,
    before: fc.oneof(part, fc.constant<ContentPart>({ type: 'text', text: '' })),
    calls: fc.array(fc.tuple(call, result), { minLength: 1, maxLength: 3 }),
    answer: part,
  });
  return fc.record({
    tools: fc.uniqueArray(tool, { minLength: 1, maxLength: 3, selector: ({ name }) => name }),
    system: fc.option(part, { nil: undefined }),
    messages: fc
      .array(round, { minLength: 1, maxLength: 3 })
      .map((rounds) => rounds.flatMap((one) => messagesOf(one))),
  });
}

function messagesOf(round: {
  question: ContentPart;
  before: ContentPart;
  calls: readonly (readonly [ToolCall, ContentPart[]])[];
  answer: ContentPart;
}): ChatMessage[] {
  return [
    { role: 'user', content: [round.question] },
    { role: 'assistant', content: [round.before], toolCalls: round.calls.map(([call]) => call) },
    ...round.calls.map(([, content]): ChatMessage => ({ role: 'tool', content })),
    { role: 'assistant', content: [round.answer] },
  ];
}

const withSystem = (system: ContentPart | undefined, messages: readonly ChatMessage[]): ChatMessage[] =>
  system ? [{ role: 'system', content: [system] }, ...messages] : [...messages];

test('gives the tokens of the prompt that the template of Qwen3-VL makes', () => {
  const chat = chatTemplate(qwen3VlTemplate);
  fc.assert(
    fc.property(toolConversations(plainText, fc.constant([])), ({ tools, system, messages }) => {
      const given = withSystem(system, messages);
      const direct = new Template(qwen3VlTemplate).render({
        tools: tools.map((tool) => ({ type: 'function', function: tool })),
        messages: given.map(({ role, content, toolCalls }) => ({
          role,
          content: content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
          ...(toolCalls && { tool_calls: toolCalls.map((call) => ({ function: call })) }),
        })),
        add_generation_prompt: true,
      });
      const expected = direct
        .split(/(<\|\w+\|>|<\/?tool_(?:call|response)>)/)
        .flatMap((part) => tokenizer.specials.get(part) ?? tokenizer.encodePlain(part));
      expect(flat(chat.render(given, { addGenerationPrompt: true, tools }))).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('users, tools and results make no special tokens, and pictures of results are in their place', () => {
  const chat = chatTemplate(embeddedTemplate);
  const structure = (messages: ChatMessage[], tools: FunctionTool[]): (number | string)[] =>
    flat(chat.render(messages, { addGenerationPrompt: true, tools })).filter(
      (piece) => typeof piece === 'string' || specials.has(piece),
    );
  const text = unruly(tokenizer.specials.keys());
  fc.assert(
    fc.property(
      toolConversations(text, fc.array(picture, { maxLength: 2 })),
      ({ tools, system, messages }) => {
        const given = withSystem(system, messages);
        const harmless = given.map((message) => ({
          ...message,
          content: message.content.map((part) => (part.type === 'text' ? { ...part, text: 'x' } : part)),
          ...(message.toolCalls && {
            toolCalls: message.toolCalls.map(() => ({ name: 'x', arguments: '{}' })),
          }),
        }));
        expect(structure(given, tools)).toEqual(
          structure(
            harmless,
            tools.map(({ name }) => ({ name })),
          ),
        );
      },
    ),
  );
});

describe.each(Object.entries({ embeddedTemplate, qwen3VlTemplate }))('%s', (_name, source) => {
  const chat = chatTemplate(source);
  const text = unruly(tokenizer.specials.keys());
  const token = fc.integer({ min: 100, max: 655 });

  test('a prompt with committed calls is a prefix of the prompts after it', () => {
    fc.assert(
      fc.property(
        toolConversations(text, fc.array(picture, { maxLength: 2 })),
        fc.array(token, { minLength: 1, maxLength: 8 }),
        ({ tools, system, messages }, tokens) => {
          const given = withSystem(
            system,
            messages.map((message) => (message.role === 'assistant' ? { ...message, tokens } : message)),
          );
          const ends = given.flatMap(({ role }, index) => (role === 'assistant' ? index : []));
          for (const [turn, end] of ends.entries()) {
            const next = ends[turn + 1];
            if (next === undefined) break;
            const before: Segment[] = [
              ...chat.render(given.slice(0, end), { addGenerationPrompt: true, tools }),
              { kind: 'text', tokens },
            ];
            const after = chat.render(given.slice(0, next), { addGenerationPrompt: true, tools });
            expect(commonPrefix(before, after).cells).toBe(totalCells(before));
          }
        },
      ),
    );
  });
});

test('a picture that a template drops from a result is blamed on the message it came in', () => {
  const template =
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}{{ c.text if c.type == 'text' }}{% endfor %}{% endif %}{% endfor %}";
  const image: ContentPart = {
    type: 'image',
    image: { digest: 'sha256:a', width: 32, height: 32, pixels: () => Promise.reject(new Error('unused')) },
  };
  const messages: ChatMessage[] = [
    { role: 'user', content: [{ type: 'text', text: 'look' }] },
    { role: 'assistant', content: [], toolCalls: [{ name: 'look', arguments: '{}' }] },
    { role: 'tool', content: [image] },
  ];
  expect(() =>
    chatTemplate(template).render(messages, { addGenerationPrompt: true, tools: [{ name: 'look' }] }),
  ).toThrow(/^messages\[2\]\.content: .*takes 0 of its 1 pictures/);
});
