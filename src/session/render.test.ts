import { expect, test } from 'vitest';
import type { ImageSource } from '../core/request.ts';
import { Answer } from './answer.ts';
import type { StoredItem } from './items.ts';
import { renderItems } from './render.ts';

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

const session = 'A'.repeat(22);
const usage = {
  promptTokens: 1,
  imageTokens: 0,
  reusedTokens: 0,
  outputTokens: 2,
  imagesEncoded: 0,
  imagesReused: 0,
};
const timings = { queuedMs: 0, encodeMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0 };
/** The items of an answer to the turn with this serial, calls named f0, f1, ... */
function answerItems(serial: number, words: string, callCount: number, isCut = false): StoredItem[] {
  const answer = new Answer(session, serial, 1);
  const toolCalls = Array.from({ length: callCount }, (_, n) => ({ name: `f${n}`, arguments: `{"n":${n}}` }));
  for (const call of toolCalls) answer.addCall(call);
  const finishReason = isCut ? 'length' : callCount > 0 ? 'tool_calls' : 'stop';
  return answer.items({ text: words, toolCalls, tokens: [5, 70_000], finishReason, usage, timings });
}
const outputOf = (call: StoredItem | undefined, output: string): StoredItem => {
  if (call?.type !== 'function_call') throw new Error('not a call');
  return { place: '2i0', type: 'function_call_output', callId: call.callId, output };
};
const call = (n: number) => ({ name: `f${n}`, arguments: `{"n":${n}}` });
const tokens = [5, 70_000];

test('an answer keeps its tokens, an assistant message from outside has none', () => {
  const [answer] = answerItems(1, 'yes', 0, true);
  expect(answer?.status).toBe('incomplete');
  expect(render([answer as StoredItem, message('assistant', 'no')])).toEqual([
    { role: 'assistant', content: [text('yes')], tokens },
    { role: 'assistant', content: [text('no')] },
  ]);
});

test('an answer with calls is one message, its outputs follow in the order of the calls', () => {
  const [said, first, second] = answerItems(1, 'Let me see.', 2);
  const items = [said, first, second, outputOf(second, 'b'), outputOf(first, 'a')] as StoredItem[];
  expect(render(items)).toEqual([
    { role: 'assistant', content: [text('Let me see.')], toolCalls: [call(0), call(1)], tokens },
    { role: 'tool', content: [text('a')] },
    { role: 'tool', content: [text('b')] },
  ]);
});

test('an answer of calls only has no message; two in a row stay two', () => {
  const [one] = answerItems(1, '', 1);
  const [two] = answerItems(3, '', 1);
  expect(one).toMatchObject({ type: 'function_call', calls: 1, place: '1i2' });
  const outputs = [outputOf(one, 'a'), outputOf(two, 'b')];
  const assistant = { role: 'assistant', content: [], toolCalls: [call(0)], tokens };
  const a = { role: 'tool', content: [text('a')] };
  const b = { role: 'tool', content: [text('b')] };
  expect(render([one, outputs[0], two, outputs[1]] as StoredItem[])).toEqual([assistant, a, assistant, b]);
});

test('calls from outside belong to the text before them, and to each other until an output comes', () => {
  const calls = [0, 1, 2].map(
    (n): StoredItem => ({ place: `1i${n}`, type: 'function_call', callId: `c${n}`, ...call(n) }),
  );
  const items = [
    message('assistant', 'so'),
    calls[0],
    calls[1],
    outputOf(calls[0], 'a'),
    outputOf(calls[1], 'b'),
    calls[2],
    outputOf(calls[2], 'c'),
  ] as StoredItem[];
  expect(render(items).map(({ role, toolCalls }) => [role, toolCalls?.length])).toEqual([
    ['assistant', 2],
    ['tool', undefined],
    ['tool', undefined],
    ['assistant', 1],
    ['tool', undefined],
  ]);
});

test('what an erased item leaves behind is not shown, and the tokens are not used', () => {
  const [said, first, second] = answerItems(1, 'so', 2);
  const [a, b] = [outputOf(first, 'a'), outputOf(second, 'b')];
  const only = (n: number, output: string) => [
    { role: 'assistant', content: [text('so')], toolCalls: [call(n)] },
    { role: 'tool', content: [text(output)] },
  ];
  expect(render([said, second, a, b] as StoredItem[])).toEqual(only(1, 'b'));
  expect(render([said, first, second, b] as StoredItem[])).toEqual(only(1, 'b'));
  expect(render([said, first, second, a] as StoredItem[])).toEqual(only(0, 'a'));
  expect(render([said, a, b] as StoredItem[])).toEqual([{ role: 'assistant', content: [text('so')] }]);
  const [lone] = answerItems(1, '', 1);
  expect(render([lone] as StoredItem[])).toEqual([]);
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

test('pictures and texts in outputs stand where they were given', () => {
  const [lone] = answerItems(1, '', 1);
  const { callId } = lone as Extract<StoredItem, { type: 'function_call' }>;
  const output: StoredItem = {
    place: '2i0',
    type: 'function_call_output',
    callId,
    output: [
      { type: 'input_image', picture: 1 },
      { type: 'input_text', text: 'a' },
    ],
  };
  expect(render([lone as StoredItem, output])[1]).toEqual({
    role: 'tool',
    content: [{ type: 'image', image }, text('a')],
  });
});
