import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { errorTable } from '../src/core/errors.ts';
import { conversationRoutes } from '../src/gateway/conversations/routes.ts';
import { type RouteFixture, routeFixtures } from './helpers/routeFixture.ts';
import { flat } from './pictures.ts';

const open = routeFixtures();
const png = await flat(64, 64, [200, 30, 30]).png().toBuffer();
const pngUrl = `data:image/png;base64,${png.toString('base64')}`;
const say = (text: string) => ({ type: 'message' as const, role: 'user' as const, content: text });

const servers: ServerType[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
});

/** The official client on a real socket, acting for a tenant. */
async function clientOf(fixture: RouteFixture, tenant = 'local'): Promise<OpenAI> {
  const { promise, resolve } = Promise.withResolvers<AddressInfo>();
  servers.push(serve({ fetch: fixture.fetch, hostname: '127.0.0.1', port: 0 }, resolve));
  const { port } = await promise;
  const baseURL = `http://127.0.0.1:${port}/v1`;
  return new OpenAI({ apiKey: 'none', baseURL, defaultHeaders: { 'x-test-tenant': tenant } });
}

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly param: string | null };
}
const errorOf = async (reply: Response) => ((await reply.json()) as ErrorBody).error;

describe('the official client', () => {
  test('makes, reads, changes and deletes a conversation', async () => {
    const client = await clientOf(await open(conversationRoutes));
    const bare = await client.conversations.create();
    expect(bare).toMatchObject({ object: 'conversation', metadata: {} });
    const made = await client.conversations.create({ items: [say('hello')], metadata: { a: 'b' } });
    expect(made.id).toMatch(/^conv_/);
    expect(Math.abs(made.created_at - Date.now() / 1_000)).toBeLessThan(60);
    expect(await client.conversations.retrieve(made.id)).toEqual(made);
    expect(await client.conversations.update(made.id, { metadata: { c: 'd' } })).toEqual({
      ...made,
      metadata: { c: 'd' },
    });
    expect((await client.conversations.update(made.id, { metadata: null })).metadata).toEqual({});
    expect(await client.conversations.delete(made.id)).toEqual({
      id: made.id,
      object: 'conversation.deleted',
      deleted: true,
      removed: { items: 1, responses: 0, pictures: 0, bytes_freed: 0 },
    });
    await expect(client.conversations.retrieve(made.id)).rejects.toMatchObject({
      status: 404,
      code: 'not_found',
    });
  });

  test('who erases items page by page comes to all of them, in either order', async () => {
    const fixture = await open(conversationRoutes);
    const client = await clientOf(fixture);
    for (const order of ['asc', 'desc'] as const) {
      const { id } = await client.conversations.create({ items: [say('a'), say('b'), say('c')] });
      const more = Array.from({ length: 12 }, (_, index) => say(`item ${index}`));
      await client.conversations.items.create(id, { items: more });
      const erased = [];
      for await (const item of client.conversations.items.list(id, { limit: 2, order })) {
        erased.push(item.id);
        await client.conversations.items.delete(item.id ?? '', { conversation_id: id });
      }
      expect(new Set(erased).size).toBe(15);
      expect((await client.conversations.items.list(id)).data).toEqual([]);
      // What no item ever had is no place to go on from.
      const other = await client.conversations.create({ items: [say('a')] });
      const [elsewhere] = (await client.conversations.items.list(other.id)).data;
      for (const after of [elsewhere?.id ?? '', `msg_${id.slice('conv_'.length)}9i0`, 'msg_x']) {
        await expect(client.conversations.items.list(id, { after })).rejects.toMatchObject({
          status: 404,
          param: 'after',
        });
      }
    }
  });

  test('may shorten the life of a conversation', async () => {
    const fixture = await open(conversationRoutes);
    const reply = await fixture.request('POST', '/v1/conversations', { idle_ttl_ms: 60_000 });
    const { id } = (await reply.json()) as { id: string };
    const { expiresAtMs } = await fixture.parts.sessions.sessions.get('local', id);
    expect(Math.abs(expiresAtMs - Date.now() - 60_000)).toBeLessThan(10_000);
  });

  test('adds, pages through, reads and erases items', async () => {
    const client = await clientOf(await open(conversationRoutes));
    const { id } = await client.conversations.create();
    const texts = Array.from({ length: 25 }, (_, index) => `item ${index}`);
    const first = await client.conversations.items.create(id, { items: texts.slice(0, 20).map(say) });
    expect(first).toMatchObject({ object: 'list', has_more: false });
    expect([first.first_id, first.last_id]).toEqual([first.data[0]?.id, first.data[19]?.id]);
    await client.conversations.items.create(id, { items: texts.slice(20).map(say) });

    const textsOf = async (order?: 'asc' | 'desc', limit?: number) => {
      const found: string[] = [];
      for await (const item of client.conversations.items.list(id, { order, limit })) {
        if (item.type !== 'message') throw new Error(`a ${item.type} came`);
        found.push((item.content[0] as { text: string }).text);
      }
      return found;
    };
    expect(await textsOf('asc', 4)).toEqual(texts);
    expect(await textsOf('asc', 5)).toEqual(texts);
    expect(await textsOf()).toEqual(texts.toReversed());

    const [item] = first.data;
    const at = { conversation_id: id };
    expect(await client.conversations.items.retrieve(item?.id ?? '', at)).toEqual(item);
    expect(await client.conversations.items.delete(item?.id ?? '', at)).toMatchObject({
      id,
      object: 'conversation',
    });
    await expect(client.conversations.items.retrieve(item?.id ?? '', at)).rejects.toMatchObject({
      status: 404,
    });
    expect(await textsOf('asc')).toEqual(texts.slice(1));
  });

  test('sends a picture and is told what went with the conversation', async () => {
    const fixture = await open(conversationRoutes);
    const client = await clientOf(fixture);
    const content = [{ type: 'input_image' as const, detail: 'low' as const, image_url: pngUrl }];
    const { id } = await client.conversations.create({ items: [{ role: 'user', content }] });
    const plain = await client.conversations.items.list(id);
    expect(plain.data[0]).toMatchObject({
      content: [{ type: 'input_image', detail: 'low', file_id: null, image_url: null }],
    });
    const asked = await client.conversations.items.list(id, { include: ['message.input_image.image_url'] });
    expect(asked.data[0]).toMatchObject({ content: [{ image_url: expect.stringMatching(/^ni:/) }] });
    expect(fixture.spent.pictures).toBe(1);
    expect(await client.conversations.delete(id)).toMatchObject({
      removed: { items: 1, pictures: 1, bytes_freed: png.length },
    });
  });

  test('retries an append whose reply was lost, and it is there once', async () => {
    const fixture = await open(conversationRoutes);
    let lose = 1;
    const client = (await clientOf(fixture)).withOptions({
      fetch: async (url, init) => {
        const reply = await fetch(url, init);
        if (init?.method === 'POST' && String(url).endsWith('/items') && lose-- > 0) throw new Error('lost');
        return reply;
      },
    });
    const { id } = await client.conversations.create();
    await client.conversations.items.create(id, { items: [say('once')] });
    expect(lose).toBe(-1);
    expect((await client.conversations.items.list(id)).data).toHaveLength(1);
  });
});

describe('refusals', () => {
  test.each<[string, string, unknown, string, string]>([
    ['POST', '', { items: Array.from({ length: 21 }, () => say('x')) }, 'invalid_parameter', 'items'],
    ['POST', '', { metadata: { k: 1 } }, 'invalid_parameter', 'metadata.k'],
    ['POST', '', { idle_ttl_ms: 86_400_000 }, 'invalid_parameter', 'idle_ttl_ms'],
    ['POST', '', { item: [] }, 'unknown_parameter', 'item'],
    ['POST', '', { items: 'hello' }, 'invalid_parameter', 'items'],
    ['POST', '/ID', {}, 'missing_parameter', 'metadata'],
    ['POST', '/ID/items', {}, 'missing_parameter', 'items'],
    ['POST', '/ID/items', { items: [{ type: 'input_file' }] }, 'unsupported_parameter', 'items[0].type'],
    ['GET', '/ID/items?limit=101', undefined, 'invalid_parameter', 'limit'],
    ['GET', '/ID/items?order=up', undefined, 'invalid_parameter', 'order'],
    ['GET', '/ID/items?before=x', undefined, 'unknown_parameter', 'before'],
    ['GET', '/ID/items/msg_1?include[]=all', undefined, 'invalid_parameter', 'include[][0]'],
  ])('%s %s %j', async (method, path, body, code, param) => {
    const { request } = await open(conversationRoutes);
    const { id } = (await (await request('POST', '/v1/conversations', {})).json()) as { id: string };
    const reply = await request(method, `/v1/conversations${path.replace('ID', id)}`, body);
    expect([reply.status, await errorOf(reply)]).toEqual([400, expect.objectContaining({ code, param })]);
  });

  test('items for a conversation that is not there are refused before their pictures count', async () => {
    const { request, spent } = await open(conversationRoutes);
    const items = [{ role: 'user', content: [{ type: 'input_image', image_url: pngUrl }] }];
    const reply = await request('POST', '/v1/conversations/conv_x/items', { items });
    expect([reply.status, spent.pictures]).toEqual([404, 0]);
  });

  test("another tenant's ids answer like ids that never were, on every route", async () => {
    const { request } = await open(conversationRoutes);
    const made = await request('POST', '/v1/conversations', { items: [say('secret')] });
    const { id } = (await made.json()) as { id: string };
    const list = (await (await request('GET', `/v1/conversations/${id}/items`)).json()) as {
      data: [{ id: string }];
    };
    const item = list.data[0].id;
    const never = `conv_${'0'.repeat(22)}`;
    const routes: [string, string, unknown?][] = [
      ['GET', ''],
      ['POST', '', { metadata: {} }],
      ['DELETE', ''],
      ['POST', '/items', { items: [say('x')] }],
      ['GET', '/items'],
      ['GET', `/items/${item}`],
      ['DELETE', `/items/${item}`],
    ];
    for (const [method, path, body] of routes) {
      const tenant = { tenant: 'other' };
      const foreign = await request(method, `/v1/conversations/${id}${path}`, body, tenant);
      const unknown = await request(method, `/v1/conversations/${never}${path}`, body, tenant);
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      expect((await foreign.text()).replaceAll(id, never)).toBe(await unknown.text());
      expect([...foreign.headers]).toEqual([...unknown.headers]);
    }
    expect((await request('GET', `/v1/conversations/${id}`)).status).toBe(200);
  });
});

describe('malformed items', () => {
  const words = fc.constantFrom(
    'message',
    'function_call',
    'function_call_output',
    'reasoning',
    'item_reference',
    'input_text',
    'input_image',
    'output_text',
    'refusal',
    'input_file',
    'user',
    'assistant',
    'system',
    'completed',
    'auto',
    'data:image/png;base64,AAAA',
    'http://127.0.0.1/',
    'ni:///sha-256;AAAA',
    'file-0123456789012345678901',
    'msg_x',
    '',
    '\u0000\ud800',
  );
  const keys = fc.constantFrom(
    ...['type', 'role', 'content', 'text', 'image_url', 'file_id', 'detail', 'id', 'status', 'call_id'],
    ...['name', 'arguments', 'output', 'summary', 'refusal', 'phase', '__proto__', 'constructor', 'extra'],
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      words,
      fc.constantFrom(null, true, 0, -1, 1e300),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(keys, tie('value'), { maxKeys: 5 }),
    ),
  }));
  const part = fc.record(
    {
      type: fc.constantFrom('input_text', 'input_image', 'output_text', 'refusal', 'input_file'),
      text: fc.oneof(words, value),
      image_url: fc.oneof(words, value),
      file_id: fc.oneof(words, value),
      refusal: fc.oneof(words, value),
    },
    { requiredKeys: ['type'] },
  );
  const item = fc.oneof(
    value,
    fc.record(
      {
        type: fc.constantFrom(
          null,
          'message',
          'function_call',
          'function_call_output',
          'reasoning',
          'item_reference',
        ),
        role: fc.constantFrom('user', 'assistant', 'system', 'developer', 'tool'),
        content: fc.oneof(words, fc.array(fc.oneof(part, value), { maxLength: 3 })),
        call_id: words,
        name: words,
        arguments: words,
        output: fc.oneof(words, fc.array(part, { maxLength: 2 })),
        summary: fc.array(value, { maxLength: 2 }),
        id: words,
      },
      { requiredKeys: [] },
    ),
  );

  test('are 4xx with one of our codes, or taken; never our fault', async () => {
    const { request, problems } = await open(conversationRoutes, { config: { pictureUrls: true } });
    const { id } = (await (await request('POST', '/v1/conversations', {})).json()) as { id: string };
    const seen = { taken: 0, refused: 0 };
    const codes = new Set<string>();
    const check = async (items: unknown) => {
      const reply = await request('POST', `/v1/conversations/${id}/items`, { items });
      if (reply.status === 200) {
        seen.taken += 1;
        return;
      }
      seen.refused += 1;
      const error = await errorOf(reply);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.status).toBeLessThan(500);
      expect(Object.keys(errorTable)).toContain(error.code);
      expect(error.message).not.toMatch(/zod|undefined|\[object|Invalid input/i);
      codes.add(error.code);
    };
    const lists = fc.oneof(fc.array(item, { maxLength: 3 }), value);
    await fc.assert(fc.asyncProperty(lists, check), { numRuns: 600 });
    expect(problems).toEqual([]);
    expect(seen.taken).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(100);
    expect(codes).toContain('unknown_parameter');
  }, 60_000);
});
