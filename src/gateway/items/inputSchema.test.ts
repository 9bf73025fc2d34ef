import { z } from '@hono/zod-openapi';
import { describe, expect, test } from 'vitest';
import { refusalOf } from '../http/refusal.ts';
import { useOurWording } from '../http/wording.ts';
import { inputSchema } from './inputSchema.ts';

useOurWording();
const body = z.strictObject({ input: inputSchema });

function refusal(input: unknown): { code: string; param: unknown; message: string } {
  const parsed = body.safeParse({ input });
  if (parsed.success) throw new Error('nothing was wrong');
  const { code, details, message } = refusalOf(parsed.error);
  return { code, param: details.param, message };
}

const user = (...content: unknown[]) => [{ role: 'user', content }];
const picture = { type: 'input_image', file_id: 'file-1' };

describe('takes', () => {
  test.each([
    ['a string', 'hello'],
    ['messages without type', [{ role: 'user', content: 'hello' }]],
    ['a null type', [{ type: null, role: 'user', content: 'hello' }]],
    ['a reference without type', [{ id: 'msg_1' }, { type: null, id: 'msg_2' }]],
    ['pictures without detail', user({ type: 'input_text', text: 'a' }, picture)],
    ['a null beside what is given', user({ ...picture, image_url: null, detail: null })],
    [
      'cache breakpoints',
      user({ type: 'input_text', text: 'a', prompt_cache_breakpoint: { mode: 'explicit' } }),
    ],
    [
      'what official clients echo',
      [
        {
          type: 'message',
          id: 'msg_1',
          status: 'completed',
          role: 'assistant',
          phase: 'final_answer',
          content: [{ type: 'output_text', text: 'a', annotations: [], logprobs: [] }],
        },
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: null, status: 'completed' },
        { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}', status: 'completed' },
        { type: 'function_call_output', id: null, call_id: 'c', output: [picture], status: null },
      ],
    ],
  ])('%s', (_, input) => {
    expect(body.safeParse({ input }).error).toBeUndefined();
  });
});

describe('names the field and says why', () => {
  test.each<[unknown, string, string, string]>([
    [undefined, 'missing_parameter', 'input', ''],
    [5, 'invalid_parameter', 'input', 'got 5'],
    [[5], 'invalid_parameter', 'input[0]', 'got 5'],
    [[{}], 'missing_parameter', 'input[0].type', ''],
    [[{ id: 'a', content: 'b' }], 'missing_parameter', 'input[0].type', ''],
    [[{ role: 'user' }], 'missing_parameter', 'input[0].content', ''],
    [[{ role: 'king', content: 'x' }], 'invalid_parameter', 'input[0].role', "'king'"],
    [[{ type: 'message', content: 'x' }], 'missing_parameter', 'input[0].role', ''],
    [[{ type: 7, role: 'user', content: 'x' }], 'invalid_parameter', 'input[0].type', 'got 7'],
    [
      [{ type: 'compaction', id: 'c' }],
      'unsupported_parameter',
      'input[0].type',
      '"compaction" is none of message',
    ],
    [
      user({ type: 'input_file', file_id: 'f' }),
      'unsupported_parameter',
      'input[0].content[0].type',
      '"input_file"',
    ],
    [user(picture, { text: 'x' }), 'missing_parameter', 'input[0].content[1].type', ''],
    [user({ type: 'input_text' }), 'missing_parameter', 'input[0].content[0].text', ''],
    [user({ type: 'input_text', text: 5 }), 'invalid_parameter', 'input[0].content[0].text', 'got 5'],
    [user(picture, { ...picture, foo: 1 }), 'unknown_parameter', 'input[0].content[1].foo', ''],
    [user({ type: 'input_image' }), 'invalid_parameter', 'input[0].content[0]', 'got neither'],
    [user({ ...picture, image_url: 'data:' }), 'invalid_parameter', 'input[0].content[0]', 'got both'],
    [
      user({ type: 'input_image', image_url: '' }),
      'invalid_parameter',
      'input[0].content[0].image_url',
      'empty',
    ],
    [user({ ...picture, detail: 'ultra' }), 'invalid_parameter', 'input[0].content[0].detail', "'ultra'"],
    [
      user({ ...picture, prompt_cache_breakpoint: { mode: 'explicit', ttl: '1h' } }),
      'invalid_parameter',
      'input[0].content[0].prompt_cache_breakpoint.ttl',
      "'1h'",
    ],
    [user({ type: 'output_text', text: 'x' }), 'invalid_parameter', 'input[0].content[0].type', 'assistant'],
    [[{ role: 'system', content: [picture] }], 'invalid_parameter', 'input[0].content[0].type', 'system'],
    [[{ role: 'user', content: 'x', foo: 1 }], 'unknown_parameter', 'input[0].foo', ''],
    [
      [{ type: 'function_call', call_id: 'c', name: 'a b', arguments: '' }],
      'invalid_parameter',
      'input[0].name',
      '1 to 64',
    ],
    [
      [{ type: 'function_call_output', call_id: 'c', output: [{ type: 'input_file' }] }],
      'unsupported_parameter',
      'input[0].output[0].type',
      '"input_file"',
    ],
    [
      [{ type: 'function_call_output', call_id: '', output: 'x' }],
      'invalid_parameter',
      'input[0].call_id',
      'got 0',
    ],
    [
      [{ type: 'reasoning', summary: [], encrypted_content: 'x' }],
      'unsupported_parameter',
      'input[0].encrypted_content',
      '',
    ],
  ])('%j', (input, code, param, reason) => {
    const found = refusal(input);
    expect([found.code, found.param]).toEqual([code, param]);
    expect(found.message).toContain(reason);
  });
});
