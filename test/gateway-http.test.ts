import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { errorTable, failure } from '../src/core/errors.ts';
import { newRoutes } from '../src/gateway/http/newRoutes.ts';
import { RouteTable } from '../src/gateway/http/routeTable.ts';
import { gatewayFixtures } from './helpers/gatewayFixture.ts';

const open = gatewayFixtures();

const filled = (path: string): string => path.replace(/\{[^}]+\}/g, 'some-id');

async function errorOf(
  reply: Response,
): Promise<{ status: number; code: string; message: string; param: string }> {
  const { error } = (await reply.json()) as { error: { code: string; message: string; param: string } };
  return { status: reply.status, ...error };
}

interface Raw {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
}

/** Bytes sent as they are; the reply up to where the server closes or `content-length` is reached. */
function sendRaw(port: number, ...pieces: readonly (string | Buffer)[]): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const finish = () => {
      socket.destroy();
      const [head = '', ...rest] = text.split('\r\n\r\n');
      const [first = '', ...lines] = head.split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(': ', 2)));
      resolve({ status: Number(first.split(' ')[1]), headers, text: rest.join('\r\n\r\n') });
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      const length = /content-length: (\d+)\r\n/i.exec(text)?.[1];
      if (length && text.length - text.indexOf('\r\n\r\n') - 4 >= Number(length)) finish();
    });
    socket.on('end', finish);
    socket.on('error', (error) => (text === '' ? reject(error) : finish()));
    for (const piece of pieces) socket.write(piece);
  });
}

const post = (path: string, headers: readonly string[], key = 'ai-key-a'): string =>
  [`POST ${path} HTTP/1.1`, 'host: localhost', `authorization: Bearer ${key}`, ...headers, '', ''].join(
    '\r\n',
  );

test('every route that needs a key refuses to work without a valid one, before it looks at anything else', async () => {
  const gateway = await open();
  const closed = gateway.routes.filter(({ needsKey }) => needsKey);
  expect(closed.length).toBeGreaterThan(20);
  for (const { method, path } of closed) {
    for (const authorization of [
      undefined,
      'Bearer wrong',
      'Bearer',
      'Basic a2V5LWE6',
      'key-a',
      `Bearer ${'k'.repeat(9_999)}`,
    ]) {
      const reply = await gateway.call(method, filled(path), {
        headers: authorization === undefined ? {} : { authorization },
        ...(method !== 'GET' && { body: 'not even JSON' }),
      });
      expect(await errorOf(reply), `${method} ${path} ${authorization}`).toMatchObject({
        status: 401,
        code: 'invalid_api_key',
      });
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    }
  }
  expect((await gateway.call('GET', '/v1/no/such/route')).status).toBe(401);
  expect(
    gateway.routes
      .filter(({ needsKey }) => !needsKey)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['/livez', '/openapi.json', '/readyz']);
});

test('where no key is needed a placeholder says nothing, but a wrong one of ours is refused', async () => {
  const gateway = await open({ config: { keyRequired: false } });
  expect((await gateway.call('GET', '/v1/models')).status).toBe(200);
  expect((await gateway.call('GET', '/v1/models', { as: 'a' })).status).toBe(200);
  expect((await gateway.call('GET', '/v1/models', { as: 'nobody' })).status).toBe(401);
  for (const authorization of ['Bearer none', 'Bearer sk-proj-1', 'Bearer', 'Basic a2V5LWE6']) {
    const headers = { authorization };
    expect((await gateway.call('GET', '/v1/models', { headers })).status, authorization).toBe(200);
  }
});

test('every reply has a request id of ours; a well-formed one of the caller is only logged', async () => {
  const gateway = await open();
  const ids = new Set<string | null>();
  for (const [path, as] of [
    ['/livez'],
    ['/nothing'],
    ['/v1/models'],
    ['/v1/models', 'a'],
    ['/v1/responses/x', 'a'],
  ] as const) {
    const reply = await gateway.call('GET', path, {
      ...(as && { as }),
      headers: { 'x-request-id': 'mine-1' },
    });
    const id = reply.headers.get('x-request-id');
    expect(id).toMatch(/^req_[0-9a-f]{32}$/);
    ids.add(id);
    expect(gateway.log.at(-1)).toMatchObject({ requestId: id, clientRequestId: 'mine-1' });
  }
  expect(ids.size).toBe(5);
  await gateway.call('GET', '/livez', { headers: { 'x-request-id': 'bad id; "x"' } });
  expect(gateway.log.at(-1)).not.toHaveProperty('clientRequestId');
});

test('the log tells routes, tenants and times, but no path, key or content', async () => {
  const gateway = await open();
  await gateway.call('POST', '/v1/conversations', { as: 'a', body: { metadata: { secret: 'swordfish' } } });
  await gateway.call('GET', '/v1/conversations/conv_secretid', { as: 'a' });
  await gateway.call('GET', '/unknown/secretpath');
  const lines = gateway.log.filter(({ msg }) => msg === 'request');
  expect(lines).toMatchObject([
    { method: 'POST', route: '/v1/conversations', status: 200, tenant: 'a', keyId: 'id-of-a' },
    { method: 'GET', route: '/v1/conversations/{conversation_id}', status: 404, tenant: 'a' },
    { method: 'GET', route: 'unmatched', status: 404 },
  ]);
  for (const line of lines) expect(line.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(JSON.stringify(gateway.log)).not.toMatch(/swordfish|secret|key-a/);
});

test('a trace goes on below its caller', async () => {
  const gateway = await open();
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await gateway.call('GET', '/livez', { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
  expect(gateway.log.at(-1)).toMatchObject({ traceId });
  await gateway.call('GET', '/livez', { headers: { traceparent: `00-${traceId}-0000000000000000-01` } });
  expect(gateway.log.at(-1)?.traceId).not.toBe(traceId);
});

test('unknown paths, methods, HEAD and OPTIONS are answered as they should be', async () => {
  const gateway = await open();
  expect(await errorOf(await gateway.call('GET', '/nothing/here'))).toMatchObject({
    status: 404,
    code: 'route_not_found',
    message: 'There is no route GET /nothing/here.',
  });
  const wrong = await gateway.call('PATCH', '/v1/conversations/x', { as: 'a' });
  expect(wrong.headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS, POST');
  expect(await errorOf(wrong)).toMatchObject({ status: 405, code: 'method_not_allowed' });
  const options = await gateway.call('OPTIONS', '/v1/conversations/x');
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'DELETE, GET, HEAD, OPTIONS, POST']);
  expect(options.headers.has('access-control-allow-origin')).toBe(false);
  const head = await gateway.call('HEAD', '/v1/models', { as: 'a' });
  expect([head.status, await head.text()]).toEqual([200, '']);
});

test('a body that is not there is missed in the type that the route takes', async () => {
  const gateway = await open();
  const said = async (path: string) => (await errorOf(await gateway.call('POST', path, { as: 'a' }))).message;
  expect(await said('/v1/files')).toBe('The body is empty, this route takes multipart/form-data.');
  expect(await said('/v1/responses')).toBe('The body is not JSON: it is empty.');
});

test('names and arguments of functions are refused with what they are', async () => {
  const gateway = await open();
  const call = { name: 'f', arguments: '{}' };
  const bodies = {
    responses: [
      { input: 'x', tools: [{ type: 'function', name: 'a b' }] },
      { input: 'x', text: { format: { type: 'json_schema', name: 'a b', schema: {} } } },
      { input: [{ type: 'function_call', call_id: 'c', ...call, name: 'a b' }] },
      { input: [{ type: 'function_call', call_id: 'c', ...call, arguments: 'a b' }] },
    ],
    'chat/completions': [
      {
        messages: [{ role: 'user', content: 'x' }],
        tools: [{ type: 'function', function: { name: 'a b' } }],
      },
      ...[{ name: 'a b' }, { arguments: 'a b' }].map((wrong) => ({
        messages: [
          { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { ...call, ...wrong } }] },
        ],
      })),
    ],
  };
  for (const [path, all] of Object.entries(bodies)) {
    for (const body of all) {
      const { code, message } = await errorOf(await gateway.call('POST', `/v1/${path}`, { as: 'a', body }));
      expect([code, message]).toEqual(['invalid_parameter', expect.stringMatching(/, got 'a b'\.$/)]);
    }
  }
});

test('a route of OpenAI that is not here is no method that a response lacks', async () => {
  const gateway = await open();
  const reply = await gateway.call('POST', '/v1/responses/compact', { as: 'a', body: { model: 'x' } });
  expect(await errorOf(reply)).toMatchObject({
    status: 404,
    code: 'route_not_found',
    message: 'There is no route POST /v1/responses/compact.',
  });
});

test('ready or not is said openly', async () => {
  const state = { isReady: false };
  const gateway = await open({ parts: { isReady: () => state.isReady } });
  expect((await gateway.call('GET', '/livez')).status).toBe(200);
  expect((await gateway.call('GET', '/readyz')).status).toBe(503);
  state.isReady = true;
  expect((await gateway.call('GET', '/readyz')).status).toBe(200);
});

test('what is no fault of the caller is logged and not shown', async () => {
  const gateway = await open();
  for (const thrown of [new Error('the password is swordfish'), 'swordfish']) {
    gateway.below.engine.ready = () => Promise.reject(thrown);
    const reply = await gateway.call('GET', '/v1/models', { as: 'a' });
    const text = await reply.text();
    expect(reply.status).toBe(500);
    expect(text).not.toContain('swordfish');
    expect(JSON.parse(text).error).toMatchObject({ code: 'internal_error', type: 'server_error' });
    const line = gateway.log.find(
      ({ msg, requestId }) => msg === 'request failed' && requestId === reply.headers.get('x-request-id'),
    );
    expect(JSON.stringify(line)).toContain('swordfish');
  }
});

test('a refusal for being full is a line in the log, not a fault with a place in the code', async () => {
  const gateway = await open();
  gateway.below.engine.ready = () => Promise.reject(failure('draining', {}));
  const reply = await gateway.call('GET', '/v1/models', { as: 'a' });
  expect(reply.status).toBe(503);
  expect(gateway.log.find(({ msg }) => msg === 'request failed')).toBeUndefined();
  const line = gateway.log.find(({ msg }) => msg === 'request refused');
  expect(line).toMatchObject({ level: 40, code: 'draining', requestId: reply.headers.get('x-request-id') });
  expect(line).not.toHaveProperty('err');
});

test('where the reply says that the log says why, it does', async () => {
  const gateway = await open();
  const details = { path: '/var/data/afterimage.db', reason: 'the disk was pulled out' };
  gateway.below.engine.ready = () => Promise.reject(failure('storage_unavailable', details));
  const reply = await gateway.call('GET', '/v1/models', { as: 'a' });
  expect(await errorOf(reply)).toMatchObject({
    status: 503,
    message: 'The storage at afterimage.db is not available: the log says why.',
  });
  const line = gateway.log.find(({ requestId }) => requestId === reply.headers.get('x-request-id'));
  expect(JSON.stringify(line)).toContain(details.reason);
});

test('bodies are refused for their type, encoding, size, depth and syntax', async () => {
  const gateway = await open({ config: { maxBodyBytes: 1_000, maxJsonDepth: 8 } });
  const refusal = async (body: string, headers: Record<string, string> = {}, path = '/v1/responses') => {
    const { status, code, message } = await errorOf(
      await gateway.call('POST', path, {
        as: 'a',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      }),
    );
    return `${status} ${code}: ${message}`;
  };
  expect(await refusal('{}', { 'content-type': 'text/plain' })).toBe(
    '415 media_type_unsupported: The body is of the type text/plain, this route takes application/json.',
  );
  expect(await refusal('{}', { 'content-type': 'application/json; charset=utf-16' })).toMatch(
    '415 media_type_unsupported',
  );
  expect(await refusal('{}', { 'content-encoding': 'gzip' })).toBe(
    '415 media_type_unsupported: The body is encoded as gzip, this route takes application/json without an encoding.',
  );
  expect(await refusal(' '.repeat(1_001))).toBe(
    '413 body_too_large: The body has more than 1000 bytes, the limit is 1000.',
  );
  expect(await refusal('[[[[[[[[[0]]]]]]]]]')).toBe(
    '400 invalid_parameter: body: may be nested at most 8 deep, is 9.',
  );
  expect(await refusal('')).toBe('400 invalid_json: The body is not JSON: it is empty.');
  expect(await refusal('{"input": "x"')).toMatch('400 invalid_json: The body is not JSON');
  expect(await refusal('[]')).toBe('400 invalid_parameter: body: must be an object, got an array.');
  expect(await refusal('{"a":1}', {}, '/v1/responses/resp_x/cancel')).toBe(
    '400 unknown_parameter: There is no parameter a.',
  );
  expect(await refusal('{}', {}, '/v1/responses/resp_x/cancel')).toMatch('404 not_found');
});

test('over a socket a declared length over the limit is refused before a byte of it is sent', async () => {
  const gateway = await open({ config: { maxBodyBytes: 1_000 } });
  const port = await gateway.listen();
  const reply = await sendRaw(
    port,
    post('/v1/responses', ['content-type: application/json', 'content-length: 2000000000']),
  );
  expect(reply.status).toBe(413);
  expect(reply.headers.connection).toBe('close');
  expect(JSON.parse(reply.text).error.message).toBe('The body has 2000000000 bytes, the limit is 1000.');
});

test('over a socket a body without a length is cut off at the limit', async () => {
  const gateway = await open({ config: { maxBodyBytes: 100_000 } });
  const port = await gateway.listen();
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  const head = post('/v1/responses', ['content-type: application/json', 'transfer-encoding: chunked']);
  const reply = await sendRaw(port, head, ...Array.from({ length: 7 }, () => chunk));
  expect(reply.status).toBe(413);
  expect(JSON.parse(reply.text).error.code).toBe('body_too_large');
});

test('over a socket headers that are too large and bytes that are no HTTP get errors of ours', async () => {
  const gateway = await open();
  const port = await gateway.listen();
  const large = await sendRaw(port, post('/v1/responses', [`x-large: ${'x'.repeat(20_000)}`]));
  expect([large.status, JSON.parse(large.text).error.code]).toEqual([431, 'headers_too_large']);
  const noise = await sendRaw(port, 'HELO mail\r\n\r\n');
  expect([noise.status, JSON.parse(noise.text).error.code]).toEqual([400, 'malformed_http']);
  expect(noise.headers['x-request-id']).toMatch(/^req_/);
});

test('over a socket the log line comes when the reply is out, with its bytes', async () => {
  const gateway = await open();
  const port = await gateway.listen();
  const body = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: 'Bearer ai-key-a' };
    httpRequest({ port, path: '/openapi.json', headers }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      reply.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
  await expect.poll(() => gateway.log.at(-1)?.route).toBe('/openapi.json');
  expect(gateway.log.at(-1)?.bytes).toBeGreaterThan(body.length);
  expect(gateway.log.at(-1)).not.toHaveProperty('cutOff');
});

test('over a socket a reader that leaves a stream stops its turn, and the log says that it was cut off', async () => {
  const gateway = await open({ engine: { script: [{ pieces: ['a', ' word'], stallAt: 1 }] } });
  const port = await gateway.listen();
  const body = JSON.stringify({ input: 'tell me everything', stream: true, max_output_tokens: 1_000 });
  const length = Buffer.byteLength(body);
  const socket = connect(port, '127.0.0.1');
  socket.write(post('/v1/responses', ['content-type: application/json', `content-length: ${length}`]) + body);
  await new Promise<void>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('response.output_text.delta')) resolve();
    });
  });
  socket.destroy();
  await expect
    .poll(() => gateway.log.at(-1))
    .toMatchObject({ route: '/v1/responses', status: 200, cutOff: true });
  await expect.poll(async () => (await gateway.below.parts.sessions.stats()).runningTurns).toBe(0);
  const { text } = await gateway.metrics.expose(gateway.below.parts);
  expect(text).toContain('afterimage_turns_total{outcome="stopped"} 1');
});

test('who reads a turn whose conversation is deleted meanwhile is told so, and nothing is logged as a fault', async () => {
  const stalling = { pieces: ['a', ' word'], stallAt: 1 };
  const { call, below, log } = await open({ engine: { script: [stalling, stalling] } });
  for (const stream of [true, false]) {
    const made = await call('POST', '/v1/conversations', { as: 'a' });
    const { id } = (await made.json()) as { id: string };
    const reading = call('POST', '/v1/responses', {
      as: 'a',
      body: { conversation: id, input: 'x', stream },
    });
    await expect.poll(async () => (await below.engine.stats()).running).toBe(1);
    expect((await call('DELETE', `/v1/conversations/${id}`, { as: 'a' })).status).toBe(200);
    const reply = await reading;
    expect([reply.status, reply.headers.get('x-should-retry')]).toEqual(
      stream ? [200, null] : [500, 'false'],
    );
    expect(await reply.text()).toContain('"code":"turn_interrupted"');
  }
  expect(log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});

test('a page of another site is refused where no key is needed', async () => {
  const gateway = await open({ config: { keyRequired: false } });
  const headers = { host: 'localhost', origin: 'https://evil.example', 'content-type': 'text/plain' };
  expect(await errorOf(await gateway.call('POST', '/v1/responses', { body: '{}', headers }))).toMatchObject({
    status: 403,
    code: 'origin_refused',
  });
  expect((await gateway.call('GET', '/livez', { headers: { host: 'evil.example' } })).status).toBe(403);
});

test('limits hold for every route under /v1, and their headers are on errors too', async () => {
  const gateway = await open({ limitsOf: () => ({ requests: 2 }) });
  const first = await gateway.call('GET', '/v1/responses/x', { as: 'a' });
  expect([first.status, first.headers.get('x-ratelimit-remaining-requests')]).toEqual([404, '1']);
  await gateway.call('GET', '/v1/models', { as: 'a' });
  const refused = await gateway.call('POST', '/v1/responses', { as: 'a', body: 'not read any more' });
  expect([refused.status, refused.headers.get('x-ratelimit-remaining-requests')]).toEqual([429, '0']);
  expect(refused.headers.get('x-request-id')).toMatch(/^req_/);
  expect((await gateway.call('GET', '/v1/models', { as: 'b' })).status).toBe(200);
});

test('the OpenAPI document describes every route, and everything it points at is there', async () => {
  const gateway = await open();
  const document = JSON.parse(await (await gateway.call('GET', '/openapi.json')).text());
  expect(document.openapi).toBe('3.1.0');
  expect(document.components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });

  const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
    gateway.routes.map(({ method, path }) => `${method} ${path}`).sort(),
  );
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id ?? ''))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, method, operation } of operations) {
    const where = `${method} ${path}`;
    const statuses = Object.keys(operation.responses);
    expect(
      statuses.some((status) => /^2\d\d$/.test(status)),
      where,
    ).toBe(true);
    expect(
      statuses.some((status) => /^([45]\d\d|default)$/.test(status)),
      where,
    ).toBe(true);
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    const described = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
    expect(described.map(({ name }) => name).sort(), where).toEqual(named);
  }
  for (const reference of referencesIn(document)) {
    const target = reference
      .replace(/^#\//, '')
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
    expect(target, reference).toBeDefined();
  }
});

interface Operation {
  readonly operationId?: string;
  readonly responses: Record<string, unknown>;
  readonly parameters?: { in: string; name: string }[];
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  );
}

test('routes say that they need a body: one that is left out must not reach them unchecked', async () => {
  const gateway = await open();
  for (const { method, path, bodyTypes } of gateway.routes) {
    if (!bodyTypes.includes('application/json')) continue;
    const reply = await gateway.call(method, filled(path), { as: 'a' });
    expect(reply.status, `${method} ${path}`).toBeLessThan(500);
  }
});

test('a route table prefers fixed paths and knows the methods of each', () => {
  const routes = newRoutes();
  for (const [method, path] of [
    ['get', '/a/{id}'],
    ['post', '/a/b.c'],
    ['get', '/a/b.c'],
  ] as const) {
    routes.openAPIRegistry.registerPath({ method, path, responses: {} });
  }
  const table = new RouteTable(routes);
  expect(table.find('HEAD', '/a/b.c')?.path).toBe('/a/b.c');
  expect(table.find('GET', '/a/bxc')?.path).toBe('/a/{id}');
  expect(table.find('GET', '/a/b/c')).toBeUndefined();
  expect(table.methodsOf('/a/x')).toEqual(['GET', 'HEAD', 'OPTIONS']);
  expect(table.methodsOf('/a/b.c')).toEqual(['GET', 'HEAD', 'OPTIONS', 'POST']);
});

/** Deterministic, so that a failure can be looked at: the same seed gives the same bodies. */
function* noise(seed: string): Generator<number> {
  for (let block = 0; ; block += 1) yield* createHash('sha256').update(`${seed} ${block}`).digest();
}

test('5,000 malformed bodies are refused by every route in our own words', async () => {
  const gateway = await open();
  const targets = gateway.routes.filter(({ bodyTypes }) => bodyTypes.includes('application/json'));
  const bytes = noise('bodies');
  const pick = <T>(from: readonly T[]): T => from[(bytes.next().value as number) % from.length] as T;
  const fields = [
    'model',
    'input',
    'messages',
    'metadata',
    'items',
    'tools',
    'text',
    'stream',
    'role',
    'type',
    'content',
  ];
  const words = [
    'input_image',
    'message',
    'function',
    'user',
    'data:image/png;base64,AAAA',
    'https://localhost/x',
    '',
    '\u0000',
  ];
  const value = (depth: number): unknown => {
    const kind = pick([0, 1, 2, 3, 4, 5, 6, 7]);
    if (depth > 3 || kind < 4) return pick([null, true, -1, 1e308, 0.5, ...words] as const);
    if (kind < 6) return Array.from({ length: pick([0, 1, 2]) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: pick([1, 2, 3]) }, () => [pick(fields), value(depth + 1)]),
    );
  };
  const codes = new Map<string, number>();
  for (let count = 0; count < 5_000; count += 1) {
    const { method, path } = targets[count % targets.length] as (typeof targets)[number];
    const json = JSON.stringify(count % 3 === 0 ? { ...Object(value(0)), [`x${count}`]: 1 } : value(0));
    const body = count % 7 === 0 ? json.slice(0, -1) : count % 5 === 0 ? `${json}${pick(words)}x` : json;
    const reply = await gateway.call(method, filled(path), {
      as: 'a',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const text = await reply.text();
    if (reply.ok) continue;
    const where = `${method} ${path} ${body}: ${text}`;
    expect(reply.status, where).toBeLessThan(500);
    const { error } = JSON.parse(text);
    expect(errorTable, where).toHaveProperty(error.code);
    expect(error.message, where).not.toMatch(
      /Invalid input|Unrecognized|Too (big|small)|Unexpected|Zod|undefined|\[object/,
    );
    codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
  }
  expect(gateway.below.problems).toEqual([]);
  for (const code of ['invalid_json', 'invalid_parameter', 'unknown_parameter', 'missing_parameter']) {
    expect(codes.get(code), code).toBeGreaterThan(50);
  }
});
