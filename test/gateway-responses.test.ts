import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { create, eventsOf, listen, openResponses, post, refused } from './helpers/responsesFixture.ts';
import { flat } from './pictures.ts';

const png = await flat(64, 64, [200, 30, 30]).png().toBuffer();
const pixel = `data:image/png;base64,${png.toString('base64')}`;

/** Every property that a response must have. */
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
  // Not of Open Responses, but of the official client's type.
  'access_programs',
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

  test('a turn may bring nothing where there is something to build on', async () => {
    const fixture = await openResponses();
    const warm = await create(fixture, { input: 'one', prompt_cache_options: { prewarm: true } });
    const content = [{ type: 'input_text' as const, text: 'one' }];
    const { id } = await fixture.parts.sessions.conversations.create('local', {
      items: [{ type: 'message', role: 'user', content }],
    });
    const asked = await create(fixture, { input: 'one', store: false });
    for (const base of [{ previous_response_id: warm.id }, { conversation: id }]) {
      const { output, usage } = await create(fixture, base);
      expect(output).toMatchObject([{ type: 'message', role: 'assistant' }]);
      expect(usage?.input_tokens).toBe(asked.usage?.input_tokens);
    }
    const { id: empty } = await fixture.parts.sessions.conversations.create('local', {});
    for (const body of [{ conversation: empty }, { conversation: empty, input: [] }]) {
      expect(await refused(fixture, body)).toEqual([400, 'invalid_parameter', 'input']);
      expect(await refused(fixture, body, '/v1/responses/input_tokens')).toEqual([
        400,
        'invalid_parameter',
        'input',
      ]);
    }
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
    expect(warm).toMatchObject({ status: 'completed', output: [], usage: { output_tokens: 0 } });
    expect(warm.usage?.input_tokens).toBeGreaterThan(0);
    expect(warm).toMatchObject({ afterimage: { tokens_computed: warm.usage?.input_tokens } });
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

  test('a stream by a known key is the same stream, byte for byte', async () => {
    const script = [
      { pieces: ['The', ' price', '：', '4', '9', ' 🐇', '.'] },
      { pieces: ['one'] },
      { toolCalls: [{ name: 'look', arguments: '{"a":1}' }] },
      { pieces: ['Let me', ' see'], toolCalls: [{ name: 'look', arguments: '{}' }] },
    ];
    const fixture = await openResponses({ engine: { script } });
    const tools = [{ type: 'function', name: 'look', parameters: { type: 'object' } }];
    for (const [index] of script.entries()) {
      const headers = { 'idempotency-key': `k${index}` };
      const body = { input: 'one', stream: true, ...(index > 1 && { tools }) };
      const first = await post(fixture, body, headers);
      const again = await post(fixture, body, headers);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect(again.text).toBe(first.text);
    }
    expect(fixture.finished).toHaveLength(script.length);
  });

  test('a stream by the key of a whole reply is the stored reply', async () => {
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

  test('is refused for a wrong query by its field and value', async () => {
    const fixture = await openResponses();
    const { id } = await create(fixture, { input: 'one' });
    for (const [query, param, actual] of [
      ['?stream=true&starting_after=-1', 'starting_after', "got '-1'"],
      ['?stream=true&starting_after=1.5', 'starting_after', "got '1.5'"],
      ['/input_items?after=msg_x', 'after', 'msg_x'],
      ['/input_items?limit=101', 'limit', 'got 101'],
    ] as const) {
      const reply = await fixture.request('GET', `/v1/responses/${id}${query}`);
      const { error } = (await reply.json()) as { error: { param: string; message: string } };
      expect([query, error.param]).toEqual([query, param]);
      expect(error.message).toContain(actual);
    }
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
