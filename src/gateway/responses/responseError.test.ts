import { expect, test } from 'vitest';
import { responseError } from './responseError.ts';

test.each([
  ['context_length_exceeded', 'invalid_prompt'],
  ['poison_request', 'invalid_prompt'],
  ['engine_failed', 'server_error'],
  ['turn_interrupted', 'server_error'],
  ['of_another_version', 'server_error'],
])('%s is %s to clients that know only OpenAI', (ours, code) => {
  expect(responseError({ code: ours, message: 'no luck' })).toEqual({
    code,
    message: 'no luck',
    afterimage_code: ours,
  });
});

test('what did not fail has none', () => {
  expect(responseError(null)).toBeNull();
});
