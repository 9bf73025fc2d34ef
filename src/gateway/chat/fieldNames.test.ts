import { expect, test } from 'vitest';
import { failure } from '../../core/errors.ts';
import { chatField, inChatFields } from './fieldNames.ts';
import { toInput } from './toInput.ts';

const items = toInput([
  { role: 'system', content: 'Be short.' },
  {
    role: 'assistant',
    content: 'Let me look.',
    tool_calls: [{ type: 'function', id: 'call_1', function: { name: 'look', arguments: '{}' } }],
  },
  { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'seen' }] },
]);

test('a message of the assistant becomes its text and its calls', () => {
  expect(items.map(({ item, field }) => [item.type, field])).toEqual([
    ['message', 'messages[0]'],
    ['message', 'messages[1]'],
    ['function_call', 'messages[1].tool_calls[0]'],
    ['function_call_output', 'messages[2]'],
  ]);
});

test.each([
  ['input', 'messages'],
  ['messages[1].content', 'messages'],
  ['input[0]', 'messages[0]'],
  ['input[1].content[0].image_url', 'messages[1].content[0].image_url.url'],
  ['input[1].content[0].file_id', 'messages[1].content[0].image_url.url'],
  ['input[2].call_id', 'messages[1].tool_calls[0].id'],
  ['input[2].arguments', 'messages[1].tool_calls[0].function.arguments'],
  ['input[3].call_id', 'messages[2].tool_call_id'],
  ['input[3].output', 'messages[2].content'],
  ['input[3].output[0].image_url', 'messages[2].content[0].image_url.url'],
  ['input[9].call_id', 'input[9].call_id'],
  ['format.schema.properties.a', 'response_format.json_schema.schema.properties.a'],
  ['format', 'response_format'],
  ['tools[3].parameters.properties.a', 'tools[3].function.parameters.properties.a'],
  ['tools[3].function.parameters', 'tools[3].function.parameters'],
  ['toolChoice', 'tool_choice'],
  ['maxOutputTokens', 'max_completion_tokens'],
  ['logitBias.17', 'logit_bias.17'],
  ['temperature', 'temperature'],
])('%s is called %s', (inner, chat) => {
  expect(chatField(inner, items)).toBe(chat);
});

test('an error keeps everything but the name of its field', () => {
  const error = failure('invalid_parameter', { param: 'input[3].call_id', problem: 'answers no call' });
  expect(inChatFields(error, items)).toMatchObject({
    code: 'invalid_parameter',
    message: 'messages[2].tool_call_id: answers no call.',
  });
  const tooLong = failure('context_length_exceeded', { needed: 9_000, holder: 'the cache', limit: 8_192 });
  expect(inChatFields(tooLong, items)).toMatchObject({ details: { param: 'messages' } });
  const other = new TypeError('a bug');
  expect(inChatFields(other, items)).toBe(other);
});
