import { expect, test } from 'vitest';
import { type GatewayFixture, gatewayFixtures } from './helpers/gatewayFixture.ts';
import { flat } from './pictures.ts';

const open = gatewayFixtures();

/** Every kind of id that a tenant can come to know, by a name for messages. */
type Ids = Readonly<Record<string, string>>;

/** A body that a route with an id in its path accepts; a route that isn't here fails the test. */
const bodies: Readonly<Record<string, unknown>> = {
  'POST /v1/responses/{response_id}/cancel': undefined,
  'POST /v1/conversations/{conversation_id}': { metadata: { a: 'b' } },
  'POST /v1/conversations/{conversation_id}/items': {
    items: [{ type: 'message', role: 'user', content: 'stolen' }],
  },
};

/** Requests that name something of another request's in body or query. */
const references: Readonly<Record<string, (id: string) => { method: string; path: string; body?: unknown }>> =
  {
    previous_response_id: (id) => responses({ input: 'go on', previous_response_id: id }),
    'previous_response_id, unstored': (id) =>
      responses({ input: 'go on', previous_response_id: id, store: false }),
    'previous_response_id, streamed': (id) =>
      responses({ input: 'go on', previous_response_id: id, stream: true }),
    'previous_response_id, in the background': (id) =>
      responses({ input: 'go on', previous_response_id: id, background: true }),
    conversation: (id) => responses({ input: 'go on', conversation: id }),
    'conversation object': (id) => responses({ input: 'go on', conversation: { id } }),
    item_reference: (id) => responses({ input: [{ type: 'item_reference', id }] }),
    'input_image.file_id': (id) => responses({ input: [look(id)] }),
    'input_tokens, previous_response_id': (id) => count({ input: 'go on', previous_response_id: id }),
    'input_tokens, conversation': (id) => count({ input: 'go on', conversation: id }),
    'input_tokens, file_id': (id) => count({ input: [look(id)] }),
    'chat, file id': (id) => ({
      method: 'POST',
      path: '/v1/chat/completions',
      body: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: id } }] }] },
    }),
    'new conversation, file_id': (id) => ({
      method: 'POST',
      path: '/v1/conversations',
      body: { items: [look(id)] },
    }),
    'files after': (id) => ({ method: 'GET', path: `/v1/files?after=${id}` }),
  };

const responses = (body: object) => ({ method: 'POST', path: '/v1/responses', body });
const count = (body: object) => ({ method: 'POST', path: '/v1/responses/input_tokens', body });
const look = (id: string) => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_image', detail: 'auto', file_id: id }],
});

async function json<T>(reply: Response): Promise<T> {
  const text = await reply.text();
  expect(reply.status, text).toBe(200);
  return JSON.parse(text) as T;
}

interface Thing {
  readonly id: string;
  readonly output: readonly { readonly id: string }[];
}

/** One of everything, of `tenant`. */
async function belongings({ call }: GatewayFixture, tenant: string, extra: object = {}): Promise<Ids> {
  const png = await flat(64, 64, [tenant.length, 2, 3]).png().toBuffer();
  const form = new FormData();
  form.set('purpose', 'vision');
  form.set('file', new File([new Uint8Array(png)], 'a.png'));
  const file = await json<Thing>(await call('POST', '/v1/files', { as: tenant, body: form }));
  const conversation = await json<Thing>(
    await call('POST', '/v1/conversations', {
      as: tenant,
      body: { items: [{ type: 'message', role: 'user', content: 'hello' }] },
    }),
  );
  const { data } = await json<{ data: Thing[] }>(
    await call('GET', `/v1/conversations/${conversation.id}/items`, { as: tenant }),
  );
  const respond = async (body: object) =>
    json<Thing>(
      await call('POST', '/v1/responses', {
        as: tenant,
        body: { input: [look(file.id)], ...extra, ...body },
      }),
    );
  const response = await respond({});
  const background = await respond({ background: true });
  return {
    file: file.id,
    conversation: conversation.id,
    'conversation item': (data[0] as Thing).id,
    response: response.id,
    'background response': background.id,
    'output item': (response.output[0] as Thing).id,
    session: sessionOf(response.id),
    'session of conversation': sessionOf(conversation.id),
  };
}

const sessionOf = (id: string): string => (/_(.{22})/.exec(id) as RegExpExecArray)[1] as string;

/** The id of something of the same kind that never was. */
const twin = (id: string): string =>
  id.replace(/^([a-z]+[-_])?(.)/, (_, prefix = '', first) => `${prefix}${first === 'Z' ? 'Y' : 'Z'}`);

interface Attempt {
  readonly name: string;
  readonly of: (id: string) => { method: string; path: string; body?: unknown };
}

/** Every route with an id in its path, with the id in each of its places in turn, and every reference. */
function attempts({ routes }: GatewayFixture, own: Ids): Attempt[] {
  const ownOf: Readonly<Record<string, string | undefined>> = {
    response_id: own.response,
    conversation_id: own.conversation,
    item_id: own['conversation item'],
    file_id: own.file,
    session_id: own.session,
  };
  const inPaths = routes.flatMap(({ method, path }) => {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
    // A model is nobody's.
    if (names.includes('model')) return [];
    const methods = method === 'GET' ? ['GET', 'HEAD'] : [method];
    return names.flatMap((place) =>
      methods.map((verb) => ({
        name: `${verb} ${path} at ${place}`,
        of: (id: string) => {
          const route = `${method} ${path}`;
          if (method === 'POST' && !(route in bodies)) throw new Error(`no body for ${route} in this test`);
          const at = path.replace(/\{(\w+)\}/g, (_, name) => (name === place ? id : (ownOf[name] ?? 'none')));
          return { method: verb, path: at, body: bodies[route] };
        },
      })),
    );
  });
  const elsewhere = Object.entries(references).map(([name, of]) => ({ name, of }));
  return [...inPaths, ...elsewhere];
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
}

async function answer(
  { call }: GatewayFixture,
  tenant: string,
  attempt: Attempt,
  id: string,
): Promise<Answer> {
  const { method, path, body } = attempt.of(id);
  const reply = await call(method, path, { as: tenant, ...(body !== undefined && { body }) });
  const { 'x-request-id': _, ...headers } = Object.fromEntries(reply.headers);
  return { status: reply.status, headers, text: (await reply.text()).replaceAll(id, 'ID') };
}

async function expectNoDifference(
  gateway: GatewayFixture,
  foreign: Ids,
  own: Ids,
): Promise<Map<string, Set<number>>> {
  const statuses = new Map<string, Set<number>>();
  for (const attempt of attempts(gateway, own)) {
    const seen = new Set<number>();
    for (const [kind, id] of Object.entries(foreign)) {
      const unknown = await answer(gateway, 'mallory', attempt, twin(id));
      const known = await answer(gateway, 'mallory', attempt, id);
      expect(known, `${attempt.name}, ${kind}`).toEqual(unknown);
      expect(known.status, `${attempt.name}, ${kind}: ${known.text}`).toBeGreaterThanOrEqual(400);
      expect(known.status, `${attempt.name}, ${kind}: ${known.text}`).toBeLessThan(500);
      seen.add(known.status);
    }
    statuses.set(attempt.name, seen);
  }
  return statuses;
}

test('no route tells a foreign id from one that never was, and none changes anything', async () => {
  const gateway = await open();
  const alice = await belongings(gateway, 'alice');
  const mallory = await belongings(gateway, 'mallory');
  await expect
    .poll(async () => {
      const reply = await gateway.call('GET', `/v1/responses/${alice['background response']}`, {
        as: 'alice',
      });
      return (await json<{ status: string }>(reply)).status;
    })
    .toBe('completed');
  const before = await inventory(gateway, alice);
  const statuses = await expectNoDifference(gateway, alice, mallory);
  expect(statuses.size).toBeGreaterThan(25);
  for (const [name, seen] of statuses) expect([...seen], name).toContain(404);
  expect(await inventory(gateway, alice)).toEqual(before);
});

/** Everything of hers as its owner sees it, and all lists. */
async function inventory({ call }: GatewayFixture, ids: Ids): Promise<string[]> {
  const paths = [
    '/v1/files',
    `/v1/files/${ids.file}`,
    `/v1/files/${ids.file}/content`,
    `/v1/responses/${ids.response}`,
    `/v1/responses/${ids.response}/input_items`,
    `/v1/responses/${ids['background response']}`,
    `/v1/conversations/${ids.conversation}`,
    `/v1/conversations/${ids.conversation}/items`,
  ];
  const seen: string[] = [];
  for (const path of paths) {
    const reply = await call('GET', path, { as: 'alice' });
    expect(reply.status, path).toBe(200);
    seen.push(await reply.text());
  }
  const { data } = await json<{ data: Thing[] }>(await call('GET', '/v1/sessions', { as: 'alice' }));
  return [...seen, ...data.map(({ id }) => id)];
}

test('what has expired is told to its owner, and to nobody else', async () => {
  const gateway = await open();
  const mallory = await belongings(gateway, 'mallory');
  const all = await belongings(gateway, 'alice', { idle_ttl_ms: 200 });
  const {
    response = '',
    'background response': background = '',
    'output item': item = '',
    session = '',
  } = all;
  const gone: Ids = { response, 'background response': background, 'output item': item, session };
  await expect
    .poll(async () => (await gateway.call('GET', `/v1/responses/${response}`, { as: 'alice' })).status, {
      interval: 300,
      timeout: 5_000,
    })
    .toBe(410);
  await expectNoDifference(gateway, gone, mallory);
  await gateway.below.parts.sessions.sweep();
  await expectNoDifference(gateway, gone, mallory);
  const reply = await gateway.call('GET', `/v1/responses/${response}`, { as: 'alice' });
  expect([reply.status, await reply.text()]).toEqual([410, expect.stringContaining('session_expired')]);
});

test('a foreign response to compare with is one that never was', async () => {
  const gateway = await open();
  const alice = await belongings(gateway, 'alice');
  const compare = async (id: string) => {
    const body = { input: 'hello', prompt_cache_options: { comparison_response_id: id } };
    const reply = await gateway.call('POST', '/v1/responses', { as: 'mallory', body });
    return (await json<{ prompt_cache_diagnostics: unknown }>(reply)).prompt_cache_diagnostics;
  };
  const known = await compare(alice.response ?? '');
  expect(known).toEqual(await compare(twin(alice.response ?? '')));
  expect(JSON.stringify(known)).toContain('comparison_response_not_found');
});

test('lists, idempotency keys and identical uploads of one tenant are nothing to another', async () => {
  const gateway = await open();
  const alice = await belongings(gateway, 'alice');
  for (const path of ['/v1/files', '/v1/sessions']) {
    const { data } = await json<{ data: unknown[] }>(await gateway.call('GET', path, { as: 'mallory' }));
    expect(data, path).toEqual([]);
  }
  const keyed = async (tenant: string) =>
    gateway.call('POST', '/v1/responses', {
      as: tenant,
      body: { input: 'the same' },
      headers: { 'idempotency-key': 'shared-key' },
    });
  const hers = await json<Thing>(await keyed('alice'));
  const reply = await keyed('mallory');
  expect(reply.headers.has('idempotency-replayed')).toBe(false);
  expect((await json<Thing>(reply)).id).not.toBe(hers.id);

  const content = await gateway.call('GET', `/v1/files/${alice.file}/content`, { as: 'alice' });
  const form = new FormData();
  form.set('purpose', 'vision');
  form.set('file', new File([new Uint8Array(await content.arrayBuffer())], 'a.png'));
  const upload = await json<{ afterimage: { known?: boolean } }>(
    await gateway.call('POST', '/v1/files', { as: 'mallory', body: form }),
  );
  expect(upload.afterimage.known).toBe(false);
});
