import { expect, test } from 'vitest';
import { type AfterimageError, failure } from '../../core/errors.ts';
import { inWireTerms } from './wireTerms.ts';

test.each([
  ['format.schema.properties.a', 'text.format.schema.properties.a'],
  ['formatted', 'formatted'],
  ['toolChoice', 'tool_choice'],
  ['idempotency_key', 'Idempotency-Key'],
  ['tools[0].name', 'tools[0].name'],
  ['prewarm', 'prompt_cache_options.prewarm'],
  ['messages', 'input'],
  ['messages[7].content', 'input'],
])('%s is %s to the client', (param, wire) => {
  const error = inWireTerms(failure('invalid_parameter', { param, problem: 'is wrong' }), {});
  expect((error as AfterimageError).message).toBe(`${wire}: is wrong.`);
});

test('only the response that was to be built on has a code of its own', () => {
  const error = failure('not_found', { object: 'response', id: 'resp_1' });
  expect(inWireTerms(error, { previous_response_id: 'resp_1' })).toMatchObject({
    code: 'previous_response_not_found',
  });
  expect(inWireTerms(error, { previous_response_id: 'resp_2' })).toBe(error);
  const item = failure('not_found', { object: 'item', id: 'msg_1' });
  expect(inWireTerms(item, { previous_response_id: 'msg_1' })).toBe(item);
});

test('what is not there, or too long, is told with the field that asked for it', () => {
  const expired = (id: string) => failure('session_expired', { id, idleSeconds: 1_800 });
  const lost = failure('not_found', { object: 'conversation', id: 'conv_1' });
  expect(inWireTerms(lost, { conversation: 'conv_1' })).toMatchObject({
    code: 'not_found',
    details: { object: 'conversation', id: 'conv_1', param: 'conversation' },
  });
  expect(inWireTerms(lost, { conversation: { id: 'conv_2' } })).toBe(lost);
  for (const conversation of ['conv_1', { id: 'conv_1' }]) {
    expect(inWireTerms(expired('conv_1'), { conversation })).toMatchObject({
      code: 'session_expired',
      details: { param: 'conversation' },
    });
  }
  expect(inWireTerms(expired('resp_1'), { previous_response_id: 'resp_1' })).toMatchObject({
    code: 'session_expired',
    details: { param: 'previous_response_id' },
  });
  const tooLong = failure('context_length_exceeded', { needed: 9_000, holder: 'the cache', limit: 8_192 });
  expect(inWireTerms(tooLong, {})).toMatchObject({ message: tooLong.message, details: { param: 'input' } });
});

test('what is no error of ours stays what it is', () => {
  const bug = new Error('bug');
  expect(inWireTerms(bug, {})).toBe(bug);
});
