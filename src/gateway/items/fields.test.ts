import { z } from '@hono/zod-openapi';
import { describe, expect, test } from 'vitest';
import { refusalOf } from '../http/refusal.ts';
import { useOurWording } from '../http/wording.ts';
import { includeOf, listBody, listQuerySchema } from './listQuery.ts';
import { metadataSchema } from './metadata.ts';

useOurWording();

function refusal(schema: z.ZodType, value: unknown) {
  const parsed = schema.safeParse(value);
  if (parsed.success) throw new Error('nothing was wrong');
  const { code, details, message } = refusalOf(parsed.error);
  return { code, param: details.param, message };
}

describe('metadata', () => {
  const body = z.object({ metadata: metadataSchema });
  const pairs = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

  test('is taken up to its limits', () => {
    const full = { ...pairs(15), ['k'.repeat(64)]: 'v'.repeat(512) };
    expect(body.parse({ metadata: full }).metadata).toEqual(full);
  });

  test.each<[object, string, string]>([
    [pairs(17), 'metadata', '17 pairs, the limit is 16'],
    [{ ['k'.repeat(65)]: 'v' }, 'metadata', '65 characters, the limit is 64'],
    [{ k: 'v'.repeat(513) }, 'metadata.k', '513 characters, the limit is 512'],
    [{ k: 1 }, 'metadata.k', 'got 1'],
    [[], 'metadata', 'an object'],
    // Not a plain literal: that would set a prototype and have no such key.
    [JSON.parse('{"__proto__":"v"}'), 'metadata.__proto__', ''],
  ])('%j is refused', (metadata, param, reason) => {
    const found = refusal(body, { metadata });
    expect([found.code, found.param]).toEqual(['invalid_parameter', param]);
    expect(found.message).toContain(reason);
  });
});

describe('list queries', () => {
  test('read what clients send', () => {
    const query = listQuerySchema.parse({
      after: 'msg_1',
      limit: '100',
      order: 'asc',
      include: 'reasoning.encrypted_content',
      'include[]': ['message.input_image.image_url'],
    });
    expect(query).toMatchObject({ after: 'msg_1', limit: 100, order: 'asc' });
    expect(includeOf(query)).toEqual(
      new Set(['reasoning.encrypted_content', 'message.input_image.image_url']),
    );
    expect(includeOf(listQuerySchema.parse({}))).toEqual(new Set());
  });

  test.each<[object, string, string, string]>([
    [{ limit: '0' }, 'invalid_parameter', 'limit', 'from 1 to 100, got 0'],
    [{ limit: '101' }, 'invalid_parameter', 'limit', 'got 101'],
    [{ limit: '1.5' }, 'invalid_parameter', 'limit', 'got 1.5'],
    [{ limit: '' }, 'invalid_parameter', 'limit', 'got '],
    [{ limit: ['1', '2'] }, 'invalid_parameter', 'limit', 'an array'],
    [{ order: 'up' }, 'invalid_parameter', 'order', "'up'"],
    [{ include: 'everything' }, 'invalid_parameter', 'include[0]', "'everything'"],
    [{ include: ['message.output_text.logprobs'] }, 'unsupported_parameter', 'include[0]', 'not kept'],
    [{ before: 'msg_1' }, 'unknown_parameter', 'before', ''],
  ])('%j is refused', (query, code, param, reason) => {
    const found = refusal(listQuerySchema, query);
    expect([found.code, found.param]).toEqual([code, param]);
    expect(found.message).toContain(reason);
  });
});

test('a page names its ends, an empty one has none', () => {
  expect(listBody([{ id: 'a' }, { id: 'b' }], true)).toEqual({
    object: 'list',
    data: [{ id: 'a' }, { id: 'b' }],
    first_id: 'a',
    last_id: 'b',
    has_more: true,
  });
  expect(listBody([], false)).toMatchObject({ first_id: null, last_id: null, has_more: false });
});
