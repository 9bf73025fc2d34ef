import { HTTPException } from 'hono/http-exception';
import { expect, test } from 'vitest';
import { errorTable, failure } from '../../core/errors.ts';
import { errorReply } from './errorReply.ts';

test('what is not meant for users is an internal error without its text', () => {
  for (const thrown of [
    new TypeError('secret'),
    'secret',
    undefined,
    new HTTPException(418, { message: 'secret' }),
  ]) {
    const { status, error } = errorReply(thrown);
    expect(status).toBe(500);
    expect(error).toEqual({
      message: errorTable.internal_error.message,
      type: 'server_error',
      param: null,
      code: 'internal_error',
    });
  }
});

test("the framework's own refusals are ours, in our words", () => {
  expect(errorReply(new HTTPException(400, { message: 'Malformed' }))).toMatchObject({
    status: 400,
    error: { code: 'invalid_json' },
  });
  expect(errorReply(new HTTPException(415, { message: 'Unsupported' }))).toMatchObject({
    status: 415,
    error: { code: 'media_type_unsupported' },
  });
});

test('official clients are told whether and when to try again', () => {
  const headersOf = (thrown: unknown) => errorReply(thrown).headers;
  expect(
    headersOf(failure('rate_limit_exceeded', { limit: 1, unit: 'requests', retryAfterMs: 1_500.2 })),
  ).toEqual({
    'retry-after-ms': '1501',
    'retry-after': '2',
  });
  expect(headersOf(failure('session_busy', {}))).toEqual({ 'retry-after-ms': '250', 'retry-after': '1' });
  expect(headersOf(failure('draining', {}))['retry-after-ms']).toBe('1000');
  expect(headersOf(failure('invalid_api_key', {}))).toEqual({
    'x-should-retry': 'false',
    'www-authenticate': 'Bearer',
  });
  expect(headersOf(failure('body_too_large', { bytes: 2, limit: 1 })).connection).toBe('close');
});

test('where files lie, and what the system says of them, is told to nobody', () => {
  const path = '/var/lib/afterimage/store/afterimage.db';
  const full = failure('storage_full', { path, bytes: 487, freeBytes: 0, reserveBytes: 0 });
  expect(errorReply(full).error.message).toBe(
    'No space at afterimage.db for 487 bytes: 0 are free, 0 of them are kept for sessions.',
  );
  const damaged = failure('storage_corrupt', { path, reason: `disk image of ${path} is malformed` });
  expect(errorReply(damaged).error).toMatchObject({
    code: 'storage_corrupt',
    message: expect.stringMatching(/^afterimage\.db is damaged: the log says why\. /),
  });
});

test('the field an error is about is its param', () => {
  expect(errorReply(failure('missing_parameter', { param: 'model' })).error.param).toBe('model');
  expect(errorReply(failure('session_busy', {})).error.param).toBeNull();
});
