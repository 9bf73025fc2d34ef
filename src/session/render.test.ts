import { expect, test } from 'vitest';
import type { ImageSource } from '../core/request.ts';
import type { StoredItem } from './items.ts';
import { answerItem, renderItems } from './render.ts';

const image: ImageSource = {
  digest: 'sha256:0',
  width: 32,
  height: 32,
  pixels: async () => new Uint8Array(),
};
const message = (role: 'user' | 'system' | 'developer' | 'assistant', text: string): StoredItem => ({
  place: '1i0',
  type: 'message',
  role,
  content: [{ type: 'input_text', text }],
});
const text = (value: string) => ({ type: 'text', text: value });
const render = (items: StoredItem[], instructions: string | null = null) =>
  renderItems(items, { instructions, picture: () => image });

test('instructions and leading system messages become one system message', () => {
  const items = [
    message('developer', 'b'),
    message('system', 'c'),
    message('user', 'hi'),
    message('developer', 'd'),
  ];
  expect(render(items, 'a')).toEqual([
    { role: 'system', content: [text('a'), text('\n\n'), text('b'), text('\n\n'), text('c')] },
    { role: 'user', content: [text('hi')] },
    { role: 'system', content: [text('d')] },
  ]);
  expect(render([message('user', 'hi')])).toEqual([{ role: 'user', content: [text('hi')] }]);
  expect(render([message('system', 'only')])).toEqual([{ role: 'system', content: [text('only')] }]);
});

test('an answer keeps its tokens, an assistant message from outside has none', () => {
  const answer = answerItem('1i1', { text: 'yes', tokens: [5, 70_000], complete: false });
  expect(answer.status).toBe('incomplete');
  expect(render([answer, message('assistant', 'no')])).toEqual([
    { role: 'assistant', content: [text('yes')], tokens: [5, 70_000] },
    { role: 'assistant', content: [text('no')] },
  ]);
});

test('pictures stand where they were sent', () => {
  const item: StoredItem = {
    place: '1i0',
    type: 'message',
    role: 'user',
    content: [
      { type: 'input_text', text: 'a' },
      { type: 'input_image', picture: 1 },
      { type: 'input_text', text: 'b' },
    ],
  };
  expect(render([item])).toEqual([
    { role: 'user', content: [text('a'), { type: 'image', image }, text('b')] },
  ]);
});
