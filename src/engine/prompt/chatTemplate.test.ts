import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteTokenizer } from '../../../test/helpers/byteTokenizer.ts';
import {
  defaultSystemTemplate,
  embeddedTemplate,
  systemLastTemplate,
  thinkingTemplate,
} from '../../../test/helpers/chatTemplates.ts';
import { conversations, flatten, plainText, unruly } from '../../../test/helpers/conversations.ts';
import type { ChatMessage, ContentPart } from '../../core/request.ts';
import { ChatTemplate } from './chatTemplate.ts';
import type { Segment } from './segment.ts';

const templates = { embeddedTemplate, defaultSystemTemplate, thinkingTemplate, systemLastTemplate };
const token = fc.integer({ min: 100, max: 655 });
const generation = { addGenerationPrompt: true };

function chatTemplate(source: string): ChatTemplate {
  return new ChatTemplate({ source, path: 'model.gguf', tokenizer: byteTokenizer, imageTokenPixels: 32 });
}

function text(role: ChatMessage['role'], ...texts: string[]): ChatMessage {
  return { role, content: texts.map((value) => ({ type: 'text', text: value })) };
}

function image(digest: string, width = 64, height = 96): ContentPart {
  return {
    type: 'image',
    image: { digest, width, height, pixels: () => Promise.reject(new Error('unused')) },
  };
}

/** Every token in order; an image is its key. */
function flat(segments: readonly Segment[]): (number | string)[] {
  return segments.flatMap<number | string>((segment) =>
    segment.kind === 'text' ? segment.tokens : segment.key,
  );
}

const withoutTokens = (messages: readonly ChatMessage[]): ChatMessage[] =>
  messages.map(({ role, content }) => ({ role, content }));

/** The prompt as a string, made by the template from the real content. */
function renderDirectly(source: string, messages: readonly ChatMessage[]): string {
  const plain = messages.map(({ role, content }) => {
    if (content.some((part) => part.type === 'image')) return { role, content };
    return { role, content: content.map((part) => (part.type === 'text' ? part.text : '')).join('') };
  });
  return new Template(source).render({ messages: plain, add_generation_prompt: true });
}

/** Tokens of a string in which every spelling counts. */
function encodeWithSpecials(prompt: string): number[] {
  return prompt
    .split(/(<\|\w+\|>|<\/?think>|<tool_call>)/)
    .flatMap((part) => byteTokenizer.specials.get(part) ?? byteTokenizer.encodePlain(part));
}

describe.each(Object.entries(templates))('%s', (_name, source) => {
  const chat = chatTemplate(source);

  test('gives the tokens of the string the template makes', () => {
    const pad = byteTokenizer.specials.get('<|image_pad|>');
    fc.assert(
      fc.property(conversations(plainText, token), ({ system, turns }) => {
        const messages = withoutTokens([...system, ...flatten(turns)]);
        const rendered = flat(chat.render(messages, generation)).map((piece) =>
          typeof piece === 'string' ? pad : piece,
        );
        expect(rendered).toEqual(encodeWithSpecials(renderDirectly(source, messages)));
      }),
    );
  });

  test('gives the same special tokens and pictures, whatever users write', () => {
    const specials = new Set(byteTokenizer.specials.values());
    const structure = (messages: ChatMessage[]): (number | string)[] =>
      flat(chat.render(messages, generation)).filter(
        (piece) => typeof piece === 'string' || specials.has(piece),
      );
    fc.assert(
      fc.property(conversations(unruly(byteTokenizer.specials.keys()), token), ({ system, turns }) => {
        const messages = [...system, ...flatten(turns)];
        const harmless = messages.map((message) => ({
          ...message,
          content: message.content.map((part) => (part.type === 'text' ? { ...part, text: 'x' } : part)),
        }));
        expect(structure(messages)).toEqual(structure(harmless));
        expect(structure(withoutTokens(messages))).toEqual(structure(withoutTokens(harmless)));
      }),
    );
  });
});

test('keeps every byte users write', () => {
  const spellings = new Map([...byteTokenizer.specials].map(([spelling, id]) => [id, spelling]));
  const chat = chatTemplate(embeddedTemplate);
  fc.assert(
    fc.property(conversations(unruly(spellings.values()), token), ({ system, turns }) => {
      const messages = withoutTokens([...system, ...flatten(turns)]);
      const bytes = flat(chat.render(messages, generation)).map((piece) => {
        if (typeof piece === 'string') return Buffer.from('<|image_pad|>');
        const spelling = spellings.get(piece);
        return spelling === undefined ? byteTokenizer.bytesOf(piece) : Buffer.from(spelling);
      });
      // Lone surrogates have no bytes of their own.
      expect(Buffer.concat(bytes).toString()).toBe(renderDirectly(embeddedTemplate, messages).toWellFormed());
    }),
  );
});

test('names a picture by digest and size, and counts its tokens', () => {
  const message: ChatMessage = { role: 'user', content: [image('sha256:a', 64, 96)] };
  expect(chatTemplate(embeddedTemplate).render([message], generation)[1]).toEqual({
    kind: 'image',
    key: 'sha256:a:64x96',
    columns: 2,
    rows: 3,
  });
});

test('uses committed tokens as they are, with hard borders', () => {
  const template = "{% for m in messages %}{{ 'a' + m.content + 'a' }}{% endfor %}";
  const messages = [{ ...text('assistant', 'never seen'), tokens: [1, 197, 197] }];
  expect(flat(chatTemplate(template).render(messages, generation))).toEqual([197, 1, 197, 197, 197]);
});

test('tokenizes template text and user text beside each other as one run', () => {
  const template = "{% for m in messages %}{{ 'a' + m.content + 'b' }}{% endfor %}";
  const messages = [text('user', 'a', 'b', 'b')];
  expect(flat(chatTemplate(template).render(messages, generation))).toEqual([497, 498, 198]);
});

test('cuts a special spelling that text makes together with the template', () => {
  const template = "{% for m in messages %}{{ '<' + m.content + 'nk>' }}{% endfor %}";
  const rendered = flat(chatTemplate(template).render([text('user', 't', 'hi')], generation));
  expect(rendered).toEqual([...Buffer.from('<think>')].map((byte) => 100 + byte));
});

describe('refuses', () => {
  const user = text('user', 'hello');
  const each = (body: string): string => `{% for m in messages %}${body}{% endfor %}`;
  const pad = '<|vision_start|><|image_pad|><|vision_end|>';
  const cases: [what: string, source: string, messages: ChatMessage[], message: RegExp][] = [
    [
      'what the template refuses, without showing sentinels',
      each("{{ raise_exception('No ' + m.content + '.') }}"),
      [user],
      /^messages: the model's chat template refused them: No \.\.\.\.$/,
    ],
    ['a later system message', thinkingTemplate, [user, text('system', 's')], /must come first\.$/],
    [
      'text the template drops',
      each("{% if m.role != 'system' %}{{ m.content }}{% endif %}"),
      [user, text('system', 's')],
      /^messages\[1\]\.content: .*leaves it out \(text\)/,
    ],
    [
      'text the template repeats',
      each('{{ m.content }}{{ m.content }}'),
      [user],
      /^messages\[0\].*repeats it/,
    ],
    ['text the template changes', each('{{ m.content[1:] }}'), [user], /^messages: .*changes their text/],
    [
      'a picture the template drops',
      thinkingTemplate,
      [
        { role: 'system', content: [{ type: 'text', text: 's' }, image('a')] },
        { role: 'user', content: [image('b')] },
      ],
      /^messages\[0\]\.content: .*takes 0 of its 1 pictures/,
    ],
    [
      'a picture the template makes up',
      `${each(`{% if m.content is string %}{{ m.content }}{% else %}${pad}{% endif %}`)}${pad}`,
      [{ role: 'user', content: [image('a')] }],
      /^messages\[0\]\.content: .*takes 2 of its 1 pictures/,
    ],
    [
      'a picture made up where there is none',
      each(`${pad}{{ m.content }}`),
      [user],
      /^messages: they have 0 pictures, the model's chat template makes 1 of them/,
    ],
    [
      'messages whose pictures the template swaps',
      `{% for m in messages[::-1] %}{% for c in m.content %}{% if c.type == 'image' %}${pad}{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}`,
      ['a', 'b'].map((name) => ({ role: 'user', content: [{ type: 'text', text: name }, image(name)] })),
      /^messages\[1\]\.content: .*takes it apart/,
    ],
    [
      'a picture whose place the template prints',
      each('{% for c in m.content %}{{ c.image }}{% endfor %}'),
      [{ role: 'user', content: [image('a')] }],
      /^messages\[0\]\.content: .*takes 0 of its 1 pictures/,
    ],
    [
      'tokens of a user',
      embeddedTemplate,
      [{ ...user, tokens: [1] }],
      /^messages\[0\]\.tokens: only an assistant/,
    ],
  ];
  test.each(cases)('%s', (_what, source, messages, message) => {
    const render = (): unknown => chatTemplate(source).render(messages, generation);
    expect(render).toThrow(message);
    expect(render).toThrow(expect.objectContaining({ code: 'invalid_parameter' }));
  });

  test('a template that is not Jinja', () => {
    expect(() => chatTemplate('{% for m in messages %}')).toThrow(
      expect.objectContaining({ code: 'model_metadata_invalid' }),
    );
  });

  test('a vocabulary without pictures', () => {
    const tokenizer = { ...byteTokenizer, specials: new Map([['<|im_end|>', 2]]) };
    const make = (): unknown =>
      new ChatTemplate({ source: embeddedTemplate, path: 'model.gguf', tokenizer, imageTokenPixels: 32 });
    expect(make).toThrow('model.gguf: tokenizer.ggml.tokens is without the special token <|image_pad|>.');
  });
});

test('works with a template that itself uses private-use characters', () => {
  const template = '{% for m in messages %}\ue0000\ue000{{ m.content }}\ue001{% endfor %}';
  const rendered = flat(chatTemplate(template).render([text('user', '\ue002')], generation));
  expect(rendered).toEqual(byteTokenizer.encodePlain('\ue0000\ue000\ue002\ue001'));
});
