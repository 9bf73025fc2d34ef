import { expect, test } from 'vitest';
import { type AfterimageError, failure } from '../../core/errors.ts';
import { inWireTerms } from './wireTerms.ts';

test.each([
  ['format.schema.properties.a', 'text.format.schema.properties.a'],
  ['formatted', 'formatted'],
  ['toolChoice', 'tool_choice'],
  ['idempotency_key', 'Idempotency-Key'],
  ['tools[0].name', 'tools[0].name'],
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

test('what is no error of ours stays what it is', () => {
  const bug = new Error('bug');
  expect(inWireTerms(bug, {})).toBe(bug);
});
