import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Item } from '../../session/items.ts';
import { itemListSchema } from './inputSchema.ts';
import { wireItem } from './wireItem.ts';

const blobId = createHash('sha256').update('Hello World!').digest('hex');
const picture = { type: 'input_image', fileId: null, blobId, detail: 'low' } as const;
const own = { status: 'completed' } as const;
const everything = new Set(['message.input_image.image_url']);

const items: Item[] = [
  {
    ...own,
    id: 'msg_1',
    type: 'message',
    role: 'user',
    content: [picture, { type: 'input_text', text: 'a' }],
  },
  { ...own, id: 'msg_2', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'b' }] },
  { ...own, id: 'fc_1', type: 'function_call', callId: 'c', name: 'f', arguments: '{}' },
  { ...own, id: 'fco_1', type: 'function_call_output', callId: 'c', output: 'x' },
  { ...own, id: 'fco_2', type: 'function_call_output', callId: 'c', output: [picture] },
  { ...own, id: 'rs_1', type: 'reasoning', summary: ['s'], text: 't' },
];

test('items have the shape official clients read', () => {
  expect(items.map((item) => wireItem(item, new Set()))).toEqual([
    {
      ...own,
      id: 'msg_1',
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_image', detail: 'low', file_id: null, image_url: null },
        { type: 'input_text', text: 'a' },
      ],
    },
    {
      ...own,
      id: 'msg_2',
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'b', annotations: [], logprobs: [] }],
    },
    { ...own, id: 'fc_1', type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
    { ...own, id: 'fco_1', type: 'function_call_output', call_id: 'c', output: 'x' },
    {
      ...own,
      id: 'fco_2',
      type: 'function_call_output',
      call_id: 'c',
      output: [{ type: 'input_image', detail: 'low', file_id: null, image_url: null }],
    },
    {
      ...own,
      id: 'rs_1',
      type: 'reasoning',
      summary: [{ type: 'summary_text', text: 's' }],
      content: [{ type: 'reasoning_text', text: 't' }],
    },
  ]);
});

test('with the name of a picture asked for, all of it can be sent back as it is', () => {
  const wire = items.map((item) => wireItem(item, everything));
  expect(wire[0]).toMatchObject({
    content: [{ image_url: 'ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk' }, {}],
  });
  expect(itemListSchema.safeParse(wire).error).toBeUndefined();
});

test('a picture of a file says which, and its name only when asked', () => {
  const item: Item = {
    ...own,
    id: 'msg_1',
    type: 'message',
    role: 'user',
    content: [{ ...picture, fileId: 'file-1' }],
  };
  expect(wireItem(item, new Set())).toMatchObject({ content: [{ file_id: 'file-1', image_url: null }] });
  expect(wireItem(item, everything)).toMatchObject({
    content: [{ file_id: 'file-1', image_url: expect.stringContaining('ni:') }],
  });
});
