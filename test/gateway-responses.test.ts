import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import OpenAI from 'openai';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { responsesRoutes } from '../src/gateway/responses/routes.ts';
import type { RouteFixture } from './helpers/routeFixture.ts';
import { routeFixtures } from './helpers/routeFixture.ts';
import { flat } from './pictures.ts';

type OpenOptions = Parameters<ReturnType<typeof routeFixtures>>[1];
type Body = Record<string, unknown>;

const open = routeFixtures();
const openResponses = (options?: OpenOptions): Promise<RouteFixture> => open(responsesRoutes, options);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The routes behind a socket, and OpenAI's own client for them. */
async function listen(fixture: RouteFixture, options: { maxRetries?: number } = {}): Promise<OpenAI> {
  const server = createAdaptorServer({ fetch: fixture.fetch });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0, ...options });
}

async function post(fixture: RouteFixture, body: Body, headers: Record<string, string> = {}) {
  const reply = await fixture.request('POST', '/v1/responses', body, { headers });
  return { status: reply.status, headers: reply.headers, text: await reply.text() };
}

async function create(fixture: RouteFixture, body: Body): Promise<OpenAI.Responses.Response> {
  const { status, text } = await post(fixture, body);
  expect(status, text).toBe(200);
  return JSON.parse(text);
}

/** The error's code and param, after its status. */
async function refused(fixture: RouteFixture, body: unknown, path = '/v1/responses') {
  const reply = await fixture.request('POST', path, body);
  const { error } = (await reply.json()) as { error: { code: string; param: string | null } };
  return [reply.status, error.code, error.param];
}

const eventsOf = (text: string): { type: string; sequence_number: number; [field: string]: unknown }[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)));

let pixel: string;
beforeAll(async () => {
  const png = await flat(64, 64, [200, 30, 30]).png().toBuffer();
  pixel = `data:image/png;base64,${png.toString('base64')}`;
});

/** Every property that Open Responses requires of a response. */
const requiredProperties = [
  ...[
    'id',
    'object',
    'created_at',
    'completed_at',
    'status',
    'incomplete_details',
    'model',
    'output',
    'error',
  ],
  ...[
    'previous_response_id',
    'instructions',
    'tools',
    'tool_choice',
    'truncation',
    'parallel_tool_calls',
    'text',
  ],
  ...['top_p', 'presence_penalty', 'frequency_penalty', 'top_logprobs', 'temperature', 'reasoning', 'usage'],
  ...['max_output_tokens', 'max_tool_calls', 'store', 'background', 'service_tier', 'metadata'],
  ...['safety_identifier', 'prompt_cache_key'],
];

describe('the response', () => {
  test('has all that is required, and what it cost', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', ' b'] }] } });
    const response = await create(fixture, { input: 'hello' });
    expect(Object.keys(response)).toEqual(expect.arrayContaining(requiredProperties));
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      background: false,
      store: true,
      temperature: 0,
      top_p: 1,
      text: { format: { type: 'text' } },
      output: [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'a b', annotations: [] }],
        },
      ],
      usage: {
        output_tokens: 2,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens_details: { reasoning_tokens: 0 },
      },
      afterimage: { images_encoded: 0, images_reused: 0, dropped_items: 0, tier: 'none', load_ms: 0 },
    });
    expect(fixture.finished).toEqual([response.id]);
    expect(fixture.spent.tokens).toBe(response.usage?.total_tokens);
  });

  test('repeats what its request said', async () => {
    const fixture = await openResponses();
    const said = {
      instructions: 'be brief',
      temperature: 0.5,
      top_p: 0.9,
      max_output_tokens: 50,
      max_tool_calls: 3,
      parallel_tool_calls: false,
      truncation: 'auto',
      metadata: { a: 'b' },
      user: 'u',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      tools: [
        {
          type: 'function',
          name: 'find',
          description: 'finds',
          parameters: { type: 'object' },
          strict: true,
        },
      ],
      tool_choice: 'none',
      text: { format: { type: 'json_object' }, verbosity: 'medium' },
      top_k: 5,
      min_p: 0.1,
      seed: 1,
    };
    expect(await create(fixture, { input: 'hello', ...said })).toMatchObject(said);
  });

  test('what is nothing or the default can be said', async () => {
    const fixture = await openResponses();
    const response = await create(fixture, {
      input: 'hello',
      model: null,
      instructions: null,
      previous_response_id: null,
      conversation: null,
      metadata: null,
      reasoning: { effort: 'none', summary: null },
      text: {},
      tools: [],
      tool_choice: 'auto',
      top_logprobs: 0,
      include: ['reasoning.encrypted_content'],
      stream_options: { include_obfuscation: false },
      service_tier: 'auto',
      context_management: [],
      prompt_cache_options: { mode: 'implicit', ttl: '30m' },
    });
    expect(response).toMatchObject({ status: 'completed', service_tier: 'default', reasoning: null });
  });

  test('an answer cut at its limit is incomplete', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b', 'c'] }] } });
    const response = await create(fixture, { input: 'hello', max_output_tokens: 2 });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      completed_at: null,
    });
  });

  test('a picture is encoded once for all turns that show it', async () => {
    const fixture = await openResponses();
    const first = await create(fixture, {
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_image', image_url: pixel },
            { type: 'input_text', text: '?' },
          ],
        },
      ],
    });
    expect(first).toMatchObject({ afterimage: { images_encoded: 1, images_reused: 0, tier: 'pixels' } });
    const second = await create(fixture, { input: 'and?', previous_response_id: first.id });
    expect(second).toMatchObject({ afterimage: { images_encoded: 0, images_reused: 1, tier: 'features' } });
    expect(fixture.spent.pictures).toBe(1);
  });
});

describe('turns', () => {
  test('a response can be built on more than once', async () => {
    const fixture = await openResponses();
    const root = await create(fixture, { input: 'one' });
    const left = await create(fixture, { input: 'two', previous_response_id: root.id });
    const right = await create(fixture, { input: 'three', previous_response_id: root.id });
    expect([left.previous_response_id, right.previous_response_id]).toEqual([root.id, root.id]);
    expect(left.output).not.toEqual(right.output);
    const asked = fixture.engine.calls.flatMap((call) =>
      call.type === 'generate' ? [call.request.messages] : [],
    );
    expect(asked.map((messages) => messages.length)).toEqual([1, 3, 3]);
  });

  test('a conversation goes on, instructions do not', async () => {
    const fixture = await openResponses();
    const { id } = await fixture.parts.sessions.conversations.create('local', {});
    const first = await create(fixture, { input: 'one', conversation: id, instructions: 'be brief' });
    const second = await create(fixture, { input: 'two', conversation: { id } });
    expect(first.conversation).toEqual({ id });
    expect(second.instructions).toBe(null);
    const messages = fixture.engine.calls.map((call) => ('request' in call ? call.request.messages : []));
    expect(messages.map((list) => list.map(({ role }) => role))).toEqual([
      ['system', 'user'],
      ['user', 'assistant', 'user'],
    ]);
  });

  test('nothing is kept with store: false', async () => {
    const fixture = await openResponses();
    const response = await create(fixture, { input: 'one', store: false });
    expect(response).toMatchObject({ store: false });
    expect((await fixture.request('GET', `/v1/responses/${response.id}`)).status).toBe(404);
  });

  test('a prewarmed prompt has no output and can be built on', async () => {
    const fixture = await openResponses();
    const warm = await create(fixture, { input: 'one', prompt_cache_options: { prewarm: true } });
    expect(warm).toMatchObject({ status: 'completed', output: [], usage: null, afterimage: null });
    const next = await create(fixture, { input: 'two', previous_response_id: warm.id });
    expect(next.status).toBe('completed');
  });

  test('what was reused of another response is said', async () => {
    const fixture = await openResponses();
    const root = await create(fixture, { input: 'one' });
    const response = await create(fixture, {
      input: 'two',
      previous_response_id: root.id,
      prompt_cache_options: { comparison_response_id: root.id },
    });
    expect(response.prompt_cache_diagnostics?.type).toMatch(/^(cache_hit|cache_miss|unavailable)$/);
    expect(response.prompt_cache_options).toMatchObject({ comparison_response_id: root.id });
    const unknown = await create(fixture, {
      input: 'two',
      prompt_cache_options: { comparison_response_id: 'resp_unknown' },
    });
    expect(unknown.prompt_cache_diagnostics).toEqual({ type: 'comparison_response_not_found' });
  });

  test('an idempotency key gives the same reply byte for byte, and says so in a header', async () => {
    const fixture = await openResponses();
    const headers = { 'idempotency-key': 'k1' };
    const first = await post(fixture, { input: 'one' }, headers);
    const again = await post(fixture, { input: 'one' }, headers);
    expect(again.text).toBe(first.text);
    expect([first, again].map((reply) => reply.headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect(again.headers.get('afterimage-session-version')).toBe('1');
    expect(fixture.finished).toHaveLength(1);
    expect((await post(fixture, { input: 'other' }, headers)).status).toBe(422);
    expect((await post(fixture, { input: 'one' }, { 'idempotency-key': 'k'.repeat(256) })).status).toBe(400);
  });

  test('a stream by a known key is the stored reply', async () => {
    const fixture = await openResponses();
    const headers = { 'idempotency-key': 'k1' };
    const first = JSON.parse((await post(fixture, { input: 'one' }, headers)).text);
    const again = await post(fixture, { input: 'one', stream: true }, headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(eventsOf(again.text).at(-1)?.response).toEqual(first);
  });

  test('the engine is told the trace', async () => {
    const fixture = await openResponses();
    await create(fixture, { input: 'one' });
    const [call] = fixture.engine.calls;
    expect(call && 'request' in call && call.request.traceparent).toMatch(/^00-[0-9a-f]{32}-/);
  });
});

describe('what is there', () => {
  test('is read, listed and deleted', async () => {
    const fixture = await openResponses();
    const client = await listen(fixture);
    const input = ['one', 'two', 'three'].map((content) => ({ role: 'user' as const, content }));
    const made = await client.responses.create({ model: 'scripted', input });
    expect(await client.responses.retrieve(made.id)).toEqual(made);
    const listed: string[] = [];
    for await (const item of client.responses.inputItems.list(made.id, { limit: 2, order: 'asc' })) {
      listed.push(item.type === 'message' ? JSON.stringify(item.content) : (item.type ?? ''));
    }
    expect(listed).toEqual(['one', 'two', 'three'].map((text) => expect.stringContaining(text)));
    await client.responses.delete(made.id);
    await expect(client.responses.retrieve(made.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('of another tenant is like nothing', async () => {
    const fixture = await openResponses();
    const { id } = await create(fixture, { input: 'one' });
    const never = `resp_${'0'.repeat(22)}1`;
    const paths = ['', '/input_items', '?stream=true'].map((rest) => ['GET', rest] as const);
    for (const [method, rest] of [...paths, ['DELETE', ''] as const, ['POST', '/cancel'] as const]) {
      const replies = [id, never].map(async (asked) => {
        const reply = await fixture.request(method, `/v1/responses/${asked}${rest}`, undefined, {
          tenant: 'other',
        });
        return [reply.status, (await reply.text()).replaceAll(asked, 'ID')];
      });
      const [foreign, unknown] = await Promise.all(replies);
      expect(foreign).toEqual(unknown);
      expect(foreign?.[0]).toBe(404);
    }
    const built = [id, never].map(async (previous_response_id) => {
      const body = { input: 'x', previous_response_id };
      const reply = await fixture.request('POST', '/v1/responses', body, { tenant: 'other' });
      return (await reply.text()).replaceAll(previous_response_id, 'ID');
    });
    const [foreign, unknown] = await Promise.all(built);
    expect(foreign).toBe(unknown);
    expect(JSON.parse(foreign as string).error).toMatchObject({
      code: 'previous_response_not_found',
      param: 'previous_response_id',
    });
  });

  test('can be counted before it is asked', async () => {
    const fixture = await openResponses();
    const root = await create(fixture, { input: 'one' });
    const reply = await fixture.request('POST', '/v1/responses/input_tokens', {
      input: 'four',
      previous_response_id: root.id,
    });
    const made = await create(fixture, { input: 'four', previous_response_id: root.id });
    expect(await reply.json()).toMatchObject({
      object: 'response.input_tokens',
      input_tokens: made.usage?.input_tokens,
      image_tokens: 0,
    });
    const path = '/v1/responses/input_tokens';
    const asItStands = await fixture.request('POST', path, { previous_response_id: made.id });
    expect((await asItStands.json()) as object).toMatchObject({
      input_tokens: made.usage?.total_tokens,
    });
  });
});

describe('streams, with the official client', () => {
  test('the helper ends with the stored response', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', ' b', ' c'] }] } });
    const client = await listen(fixture);
    const stream = client.responses.stream({ model: 'scripted', input: 'hello' });
    const deltas: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const final = await stream.finalResponse();
    expect(deltas).toEqual(['a', ' b', ' c']);
    expect(final.output_text).toBe('a b c');
    const { output_text: _, ...stored } = await client.responses.retrieve(final.id);
    expect(final).toMatchObject({ id: stored.id, usage: stored.usage });
  });

  test('an incomplete and an empty answer', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'] }, { pieces: [] }] } });
    const client = await listen(fixture);
    const short = client.responses.stream({ model: 'scripted', input: 'x', max_output_tokens: 1 });
    expect((await short.finalResponse()).status).toBe('incomplete');
    const empty = client.responses.stream({ model: 'scripted', input: 'x' });
    expect(await empty.finalResponse()).toMatchObject({ status: 'completed', output_text: '' });
  });

  test('a parsed answer', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['{"colour":', '"red"}'] }] } });
    const client = await listen(fixture);
    const schema = { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] };
    const response = await client.responses.parse({
      model: 'scripted',
      input: 'colour?',
      text: { format: { type: 'json_schema', name: 'colour', schema } },
    });
    expect(JSON.parse(response.output_text)).toEqual({ colour: 'red' });
    const [call] = fixture.engine.calls;
    expect(call && 'request' in call && call.request.format).toEqual({ type: 'json_schema', schema });
  });

  test('an error before the first event is an HTTP error; after it, an event', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b'], error, errorAt: 1 } as never] },
    });
    const client = await listen(fixture);
    const base = { model: 'scripted', stream: true } as const;
    const early = client.responses.create({ ...base, input: 'x', previous_response_id: 'resp_no' });
    await expect(early).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    const reply = await fixture.request('POST', '/v1/responses', { input: 'x', stream: true });
    const text = await reply.text();
    expect(reply.status).toBe(200);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(eventsOf(text).at(-1)).toMatchObject({
      type: 'error',
      code: 'engine_failed',
      error: { code: 'engine_failed', type: 'server_error' },
    });
    expect(fixture.failed).toHaveLength(2);
  });

  test('an error event is thrown by the client with its code', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b'], error, errorAt: 1 } as never] },
    });
    const client = await listen(fixture);
    const stream = client.responses.stream({ model: 'scripted', input: 'x' });
    await expect(stream.finalResponse()).rejects.toMatchObject({ code: 'engine_failed' });
  });

  test('leaving stops the turn', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], stallAt: 1 }] } });
    const client = await listen(fixture);
    const stream = await client.responses.create({ model: 'scripted', input: 'x', stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') break;
    await vi.waitFor(() => expect(fixture.engine.calls.at(-1)?.type).toBe('abort'));
  });

  test('leaving while waiting for a whole reply stops the turn, too', async () => {
    const fixture = await openResponses({ engine: { script: [{ stallAt: 0 }] } });
    const client = await listen(fixture);
    const leaving = new AbortController();
    const asked = client.responses.create({ model: 'scripted', input: 'x' }, { signal: leaving.signal });
    await vi.waitFor(() => expect(fixture.engine.calls).toHaveLength(1));
    leaving.abort();
    await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await vi.waitFor(() => expect(fixture.engine.calls.at(-1)?.type).toBe('abort'));
    expect(fixture.problems).toEqual([]);
  });

  test('a reader that stops reading loses its connection and its turn', async () => {
    const piece = 'x'.repeat(256 * 1024);
    const pieces = Array.from({ length: 100 }, () => piece);
    const fixture = await openResponses({
      engine: { script: [{ pieces, delayMs: 5 }] },
      config: { slowReaderMs: 200 },
    });
    const client = await listen(fixture);
    const reply = await client.responses.create({ model: 'scripted', input: 'x', stream: true }).asResponse();
    const reader = reply.body?.getReader();
    await reader?.read();
    await vi.waitFor(() => expect(fixture.engine.calls.at(-1)?.type).toBe('abort'), 8_000);
    expect(fixture.finished).toEqual([]);
    await expect(
      (async () => {
        while (!(await reader?.read())?.done);
      })(),
    ).rejects.toThrow();
  }, 20_000);
});

describe('functions', () => {
  const tools = [
    {
      type: 'function' as const,
      name: 'find',
      parameters: { type: 'object', properties: {} },
      strict: false,
    },
    { type: 'function' as const, name: 'count', parameters: null, strict: null },
  ];
  const calls = [{ name: 'find', arguments: '{"colour":"red"}' }];

  test('a call goes to the client and its output comes back', async () => {
    const fixture = await openResponses({ engine: { script: [{ toolCalls: calls }, { pieces: ['two'] }] } });
    const client = await listen(fixture);
    const asked = await client.responses.create({ model: 'scripted', input: 'how many?', tools });
    expect(asked).toMatchObject({ status: 'completed', output: [{ type: 'function_call', ...calls[0] }] });
    const [call] = asked.output;
    if (call?.type !== 'function_call') throw new Error('no call');
    const answered = await client.responses.create({
      model: 'scripted',
      previous_response_id: asked.id,
      tools,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: '2' }],
    });
    expect(answered.output_text).toBe('two');
    const { data } = await client.responses.inputItems.list(answered.id);
    expect(data).toMatchObject([{ type: 'function_call_output', call_id: call.call_id, output: '2' }]);
    const roles = fixture.engine.calls.map((made) =>
      'request' in made ? made.request.messages.map(({ role }) => role) : [],
    );
    expect(roles[1]).toEqual(['user', 'assistant', 'tool']);
  });

  test('stateless: the client sends all items back', async () => {
    const fixture = await openResponses({ engine: { script: [{ toolCalls: calls }, { pieces: ['two'] }] } });
    const client = await listen(fixture);
    const question = { role: 'user' as const, content: 'how many?' };
    const asked = await client.responses.create({
      model: 'scripted',
      input: [question],
      tools,
      store: false,
    });
    const [call] = asked.output;
    if (call?.type !== 'function_call') throw new Error('no call');
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: '2' };
    const answered = await client.responses.create({
      model: 'scripted',
      input: [question, ...asked.output, output] as OpenAI.Responses.ResponseInput,
      tools,
      store: false,
    });
    expect(answered.output_text).toBe('two');
  });

  test('text and calls, streamed', async () => {
    const fixture = await openResponses({
      engine: {
        script: [{ pieces: ['I', ' look'], toolCalls: [...calls, { name: 'count', arguments: '{}' }] }],
      },
    });
    const client = await listen(fixture);
    const stream = client.responses.stream({ model: 'scripted', input: 'x', tools });
    const written: string[] = [];
    stream.on('response.function_call_arguments.delta', ({ delta }) => written.push(delta));
    const final = await stream.finalResponse();
    expect(final.output.map(({ type }) => type)).toEqual(['message', 'function_call', 'function_call']);
    expect(written).toEqual(['{"colour":"red"}', '{}']);
    const { output } = await client.responses.retrieve(final.id);
    expect(final.output).toMatchObject(output);
  });

  test('the choice among them', async () => {
    const fixture = await openResponses();
    const choices = [
      'required',
      { type: 'function', name: 'count' },
      { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'count' }] },
    ];
    for (const tool_choice of choices) {
      const response = await create(fixture, { input: 'x', tools, tool_choice });
      expect(response.tool_choice).toEqual(tool_choice);
      expect(response.tools).toHaveLength(2);
    }
    const asked = fixture.engine.calls.flatMap((call) => (call.type === 'generate' ? [call.request] : []));
    expect(asked.map(({ tools: given, toolChoice }) => [given?.map(({ name }) => name), toolChoice])).toEqual(
      [
        [['find', 'count'], 'required'],
        [['find', 'count'], { name: 'count' }],
        [['count'], 'required'],
      ],
    );
  });

  test('a call that was never made has no output', async () => {
    const fixture = await openResponses();
    const input = [{ type: 'function_call_output', call_id: 'call_no', output: '2' }];
    const [status, code, param] = await refused(fixture, { input, tools });
    expect([status, code]).toEqual([400, 'invalid_parameter']);
    expect(param).toContain('input[0]');
  });

  test('arguments of an earlier call that are no JSON object are refused', async () => {
    const fixture = await openResponses();
    const input = [
      { role: 'user', content: 'x' },
      { type: 'function_call', call_id: 'c', name: 'find', arguments: 'nope' },
      { type: 'function_call_output', call_id: 'c', output: '2' },
    ];
    expect((await refused(fixture, { input, tools })).slice(0, 2)).toEqual([400, 'invalid_parameter']);
  });
});

describe('in the background', () => {
  test('the reply comes at once, and is read later', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], delayMs: 20 }] } });
    const client = await listen(fixture);
    const begun = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    expect(begun).toMatchObject({ status: 'in_progress', background: true, output: [], usage: null });
    await vi.waitFor(async () =>
      expect((await client.responses.retrieve(begun.id)).status).toBe('completed'),
    );
    expect((await client.responses.retrieve(begun.id)).output_text).toBe('ab');
    expect(fixture.finished).toEqual([begun.id]);
  });

  test('a stream goes on without its reader, and the rest can be had', async () => {
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b', 'c', 'd'], delayMs: 30 }] },
    });
    const client = await listen(fixture);
    const stream = await client.responses.create({
      model: 'scripted',
      input: 'x',
      background: true,
      stream: true,
    });
    let id = '';
    let last = -1;
    for await (const event of stream) {
      if (event.type === 'response.created') id = event.response.id;
      last = event.sequence_number;
      if (event.type === 'response.output_text.delta') break;
    }
    const rest = [];
    const resumed = await client.responses.retrieve(id, { stream: true, starting_after: last });
    for await (const event of resumed) rest.push(event);
    expect(rest[0]?.sequence_number).toBe(last + 1);
    expect(rest.map(({ sequence_number }) => sequence_number)).toEqual(
      rest.map((_, index) => last + 1 + index),
    );
    expect(rest.at(-1)).toMatchObject({ type: 'response.completed', response: { status: 'completed' } });
    const whole = client.responses.stream({ response_id: id, starting_after: last });
    expect((await whole.finalResponse()).output_text).toBe('abcd');
  });

  test('cancelling ends it, and its stream', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], stallAt: 1 }] } });
    const client = await listen(fixture);
    const { id } = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    const stream = client.responses.stream({ response_id: id });
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    expect((await stream.finalResponse()).status).toBe('cancelled');
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
  });

  test('one that fails says why', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({ engine: { script: [{ error } as never] } });
    const client = await listen(fixture);
    const { id } = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    await vi.waitFor(async () => expect((await client.responses.retrieve(id)).status).toBe('failed'));
    expect((await client.responses.retrieve(id)).error?.code).toBe('engine_failed');
  });

  test('others can be neither cancelled nor followed', async () => {
    const fixture = await openResponses();
    const { id } = await create(fixture, { input: 'x' });
    expect(await refused(fixture, undefined, `/v1/responses/${id}/cancel`)).toEqual([
      400,
      'invalid_parameter',
      'response_id',
    ]);
    const client = await listen(fixture);
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject({ param: 'stream' });
  });
});
