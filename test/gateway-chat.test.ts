import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { errorTable } from '../src/core/errors.ts';
import type { GenerateRequest } from '../src/core/request.ts';
import { chatRoutes } from '../src/gateway/chat/routes.ts';
import { fileRoutes } from '../src/gateway/files/routes.ts';
import { newRoutes } from '../src/gateway/http/newRoutes.ts';
import { modelRoutes } from '../src/gateway/models/routes.ts';
import { responsesRoutes } from '../src/gateway/responses/routes.ts';
import { sessionRoutes } from '../src/gateway/sessions/routes.ts';
import { type RouteFixture, routeFixtures } from './helpers/routeFixture.ts';
import { flat } from './pictures.ts';

type Options = Parameters<ReturnType<typeof routeFixtures>>[1];
type Messages = OpenAI.ChatCompletionMessageParam[];

const open = routeFixtures();
const openChat = (options?: Options): Promise<RouteFixture> =>
  open((parts) => {
    const routes = newRoutes();
    for (const some of [chatRoutes, fileRoutes, modelRoutes, responsesRoutes, sessionRoutes]) {
      routes.route('/', some(parts));
    }
    return routes;
  }, options);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listen(fixture: RouteFixture): Promise<OpenAI> {
  const server = createAdaptorServer({ fetch: fixture.fetch });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
}

async function refused(fixture: RouteFixture, body: unknown) {
  const reply = await fixture.request('POST', '/v1/chat/completions', body);
  const { error } = (await reply.json()) as { error: { code: string; param: string | null } };
  return [reply.status, error.code, error.param];
}

/** What the engine was asked, in order. */
const asked = ({ engine }: RouteFixture): GenerateRequest[] =>
  engine.calls.flatMap((call) => (call.type === 'generate' ? [call.request] : []));

const chunksOf = (text: string): unknown[] =>
  text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const data = frame.replace(/^data: /, '');
      return data === '[DONE]' ? data : JSON.parse(data);
    });

const model = 'scripted';
const hello: Messages = [{ role: 'user', content: 'Hello' }];
const tool: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'find_product',
    description: 'Finds a product by its colour.',
    parameters: { type: 'object', properties: { colour: { type: 'string' } } },
  },
};
const toolCalls = [{ name: 'find_product', arguments: '{"colour":"red"}' }];

let red: string;
let blue: string;
beforeAll(async () => {
  const urlOf = async (colour: number[]) =>
    `data:image/png;base64,${(await flat(64, 64, colour).png().toBuffer()).toString('base64')}`;
  red = await urlOf([200, 30, 30]);
  blue = await urlOf([30, 30, 200]);
});

const seen = (url: string): OpenAI.ChatCompletionContentPart => ({ type: 'image_url', image_url: { url } });

describe("with OpenAI's client", () => {
  test('a question is answered', async () => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['Good', ' day'] }] } });
    const client = await listen(fixture);
    const completion = await client.chat.completions.create({
      model,
      messages: [{ role: 'developer', content: 'Be short.' }, ...hello],
      temperature: 0.5,
      top_p: 0.9,
      max_completion_tokens: 7,
      stop: ['END'],
      seed: 4,
      logit_bias: { '17': -100 },
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      metadata: { a: 'b' },
      user: 'someone',
      store: false,
      n: 1,
    });
    const { usage } = completion;
    expect(completion).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9A-Za-z]{23}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model,
      system_fingerprint: expect.stringMatching(/^fp_[0-9a-f]{10}$/),
      service_tier: 'default',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Good day', refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: usage?.prompt_tokens,
        completion_tokens: 2,
        total_tokens: (usage?.prompt_tokens ?? 0) + 2,
        prompt_tokens_details: {
          cached_tokens: 0,
          cache_write_tokens: usage?.prompt_tokens,
          image_tokens: 0,
          audio_tokens: 0,
        },
        completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
      },
      afterimage: {
        images_encoded: 0,
        images_reused: 0,
        tokens_reused: 0,
        tokens_computed: usage?.prompt_tokens,
        tier: 'none',
        load_ms: 0,
        plan: null,
        encode_ms: expect.any(Number),
        prefill_ms: expect.any(Number),
        first_token_ms: expect.any(Number),
        queued_ms: expect.any(Number),
        dropped_items: 0,
      },
    });
    expect(usage?.prompt_tokens).toBeGreaterThan(0);
    expect(asked(fixture)).toMatchObject([
      {
        tenant: 'local',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'Be short.' }] },
          { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
        ],
        sampling: {
          temperature: 0.5,
          topP: 0.9,
          seed: 4,
          presencePenalty: 0.1,
          frequencyPenalty: 0.2,
          logitBias: { 17: -100 },
        },
        maxOutputTokens: 7,
        stop: ['END'],
        traceparent: expect.stringMatching(/^00-/),
      },
    ]);
    expect(fixture.finished).toHaveLength(1);
    expect(fixture.spent).toEqual({ tokens: usage?.total_tokens, pictures: 0 });
  });

  test('nothing of it is kept', async () => {
    const fixture = await openChat();
    await fixture.request('POST', '/v1/chat/completions', { messages: hello });
    expect(await (await fixture.request('GET', '/v1/sessions')).json()).toMatchObject({ data: [] });
    expect((await fixture.parts.sessions.stats()).sessions).toBe(0);
  });

  test('an answer that was cut says so', async () => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['one', 'two', 'three'] }] } });
    const client = await listen(fixture);
    const { choices } = await client.chat.completions.create({ model, messages: hello, max_tokens: 2 });
    expect(choices[0]).toMatchObject({ finish_reason: 'length', message: { content: 'onetwo' } });
  });

  test('a stream: the role, the text, the reason, the usage, the end', async () => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['Good', ' day'] }] } });
    const client = await listen(fixture);
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '', refusal: null },
      { content: 'Good' },
      { content: ' day' },
      {},
      undefined,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([
      null,
      null,
      null,
      'stop',
      undefined,
    ]);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.slice(0, -1).map(({ usage }) => usage)).toEqual([null, null, null, null]);
    expect(chunks.at(-1)?.usage).toMatchObject({ completion_tokens: 2 });
    expect(chunks[3]).toMatchObject({ afterimage: { images_encoded: 0, tier: 'none' } });
    expect(fixture.finished).toHaveLength(1);
    expect(fixture.spent.tokens).toBe(chunks.at(-1)?.usage?.total_tokens);
  });

  test('the raw stream has no usage unless it is asked for, and ends with [DONE]', async () => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['Hi'] }] } });
    const reply = await fixture.request('POST', '/v1/chat/completions', { messages: hello, stream: true });
    expect(reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const chunks = chunksOf(await reply.text());
    expect(chunks).toHaveLength(4);
    expect(chunks.at(-1)).toBe('[DONE]');
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk).toMatchObject({ object: 'chat.completion.chunk', model });
      expect(chunk).not.toHaveProperty('usage');
    }
  });

  test('a tool is called, its result answered, whole and streamed alike', async () => {
    const fixture = await openChat({
      engine: { script: [{ toolCalls }, { toolCalls }, { pieces: ['It is red.'] }] },
    });
    const client = await listen(fixture);
    const request = { model, messages: hello, tools: [tool], tool_choice: 'required' as const };
    const whole = (await client.chat.completions.create(request)).choices[0];
    expect(whole).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const call = whole?.message.tool_calls?.[0] as OpenAI.ChatCompletionMessageFunctionToolCall;
    expect(call).toEqual({
      id: expect.stringMatching(/^call_[0-9A-Za-z]{22}$/),
      type: 'function',
      function: toolCalls[0],
    });

    const streamed = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0];
    expect(streamed?.finish_reason).toBe('tool_calls');
    expect(streamed?.message.tool_calls).toMatchObject([{ type: 'function', function: toolCalls[0] }]);

    const last = await client.chat.completions.create({
      model,
      tools: [tool],
      messages: [
        ...hello,
        whole?.message as OpenAI.ChatCompletionMessage,
        { role: 'tool', tool_call_id: call.id, content: 'one red chair' },
      ],
    });
    expect(last.choices[0]?.message.content).toBe('It is red.');
    expect(asked(fixture)[0]).toMatchObject({
      tools: [{ name: 'find_product', parameters: tool.type === 'function' && tool.function.parameters }],
      toolChoice: 'required',
    });
    expect(asked(fixture)[2]?.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', toolCalls },
      { role: 'tool', content: [{ type: 'text', text: 'one red chair' }] },
    ]);
  });

  test('a choice of tools: by name, and of those allowed', async () => {
    const fixture = await openChat();
    const client = await listen(fixture);
    const other = { type: 'function' as const, function: { name: 'other' } };
    const request = { model, messages: hello, tools: [tool, other] };
    await client.chat.completions.create({ ...request, tool_choice: other, parallel_tool_calls: false });
    await client.chat.completions.create({
      ...request,
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [other] } },
    });
    expect(asked(fixture)).toMatchObject([
      { toolChoice: { name: 'other' }, parallelToolCalls: false, tools: [{}, {}] },
      { toolChoice: 'auto', tools: [{ name: 'other' }] },
    ]);
    expect(asked(fixture)[1]?.tools).toHaveLength(1);
  });

  test('an answer with a schema', async () => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['{"colour":"red"}'] }] } });
    const client = await listen(fixture);
    const schema = { type: 'object', properties: { colour: { type: 'string' } } };
    const { choices } = await client.chat.completions.parse({
      model,
      messages: hello,
      response_format: { type: 'json_schema', json_schema: { name: 'colour', schema, strict: true } },
    });
    expect(choices[0]?.message.parsed).toEqual({ colour: 'red' });
    await client.chat.completions.create({
      model,
      messages: hello,
      response_format: { type: 'json_object' },
    });
    expect(asked(fixture).map(({ format }) => format)).toEqual([
      { type: 'json_schema', schema },
      { type: 'json_object' },
    ]);
  });
});

describe('pictures', () => {
  test('sent again with every request, a picture is encoded once', async () => {
    const fixture = await openChat();
    const client = await listen(fixture);
    const first: Messages = [{ role: 'user', content: [seen(red), { type: 'text', text: 'Which colour?' }] }];
    const one = await client.chat.completions.create({ model, messages: first });
    expect(one).toMatchObject({ afterimage: { images_encoded: 1, images_reused: 0, tier: 'pixels' } });
    const part = asked(fixture)[0]?.messages[0]?.content[0];
    if (part?.type !== 'image') throw new Error('the prompt does not begin with a picture');
    // A token is 32 x 32 pixels.
    const imageTokens = (part.image.width / 32) * (part.image.height / 32);
    expect(one.usage?.prompt_tokens_details).toMatchObject({ image_tokens: imageTokens });
    const two = await client.chat.completions.create({
      model,
      messages: [
        ...first,
        { role: 'assistant', content: one.choices[0]?.message.content ?? '' },
        { role: 'user', content: [seen(blue), seen(red), { type: 'text', text: 'And these?' }] },
      ],
    });
    // The red one is in the prompt twice, and was known; the blue one is new.
    expect(two).toMatchObject({ afterimage: { images_encoded: 1, images_reused: 1, tier: 'features' } });
    expect((await fixture.engine.stats()).encoderCalls).toBe(2);
    expect(fixture.spent.pictures).toBe(3);
  });

  test('an uploaded file can be named in place of a URL', async () => {
    const fixture = await openChat();
    const form = new FormData();
    const bytes = Buffer.from(red.split(',')[1] as string, 'base64');
    form.append('file', new File([new Uint8Array(bytes)], 'red.png'));
    form.append('purpose', 'vision');
    const { id } = (await (await fixture.request('POST', '/v1/files', form)).json()) as { id: string };
    const messages = [{ role: 'user', content: [seen(id), { type: 'text', text: 'Which colour?' }] }];
    const reply = await fixture.request('POST', '/v1/chat/completions', { messages });
    expect(await reply.json()).toMatchObject({ afterimage: { images_encoded: 1 } });
    const foreign = await fixture.request('POST', '/v1/chat/completions', { messages }, { tenant: 'acme' });
    const never = `file-${'0'.repeat(22)}`;
    const unknown = await fixture.request('POST', '/v1/chat/completions', {
      messages: [{ role: 'user', content: [seen(never)] }],
    });
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect((await foreign.text()).replaceAll(id, never)).toBe(await unknown.text());
  });

  test('what is wrong with one names its field', async () => {
    const fixture = await openChat();
    const at = 'messages[1].content[1].image_url.url';
    const withPicture = (url: string) => ({
      messages: [...hello, { role: 'user', content: [{ type: 'text', text: 'What is it?' }, seen(url)] }],
    });
    expect(await refused(fixture, withPicture('data:image/png;base64,!!'))).toEqual([
      400,
      expect.any(String),
      at,
    ]);
    expect(await refused(fixture, withPicture('https://example.org/a.png'))).toEqual([
      expect.any(Number),
      'picture_url_disabled',
      at,
    ]);
    expect(await refused(fixture, withPicture('nonsense'))).toEqual([400, 'invalid_parameter', at]);
    const text = `data:image/png;base64,${Buffer.from('no picture at all').toString('base64')}`;
    expect((await refused(fixture, withPicture(text))).slice(0, 2)).toEqual([400, 'image_format_unknown']);
    expect(asked(fixture)).toEqual([]);
  });
});

describe('what is refused', () => {
  const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{}' } };

  test.each<[string, object, unknown[]]>([
    ['no messages', {}, [400, 'missing_parameter', 'messages']],
    ['empty messages', { messages: [] }, [400, 'invalid_parameter', 'messages']],
    ['an unknown field', { messages: hello, colour: 1 }, [400, 'unknown_parameter', 'colour']],
    ['another model', { messages: hello, model: 'gpt-9' }, [404, 'model_not_found', 'model']],
    ['two answers', { messages: hello, n: 2 }, [400, 'unsupported_parameter', 'n']],
    ['log probabilities', { messages: hello, logprobs: true }, [400, 'unsupported_parameter', 'logprobs']],
    ['to be kept', { messages: hello, store: true }, [400, 'unsupported_parameter', 'store']],
    ['audio', { messages: hello, modalities: ['audio'] }, [400, 'unsupported_parameter', 'modalities[0]']],
    ['old functions', { messages: hello, functions: [] }, [400, 'unsupported_parameter', 'functions']],
    [
      'reasoning',
      { messages: hello, reasoning_effort: 'high' },
      [400, 'unsupported_parameter', 'reasoning_effort'],
    ],
    ['hot', { messages: hello, temperature: 2.1 }, [400, 'invalid_parameter', 'temperature']],
    ['five stops', { messages: hello, stop: [...'abcde'] }, [400, 'invalid_parameter', 'stop']],
    ['a word to bias', { messages: hello, logit_bias: { a: 1 } }, [400, 'invalid_parameter', 'logit_bias.a']],
    [
      'two limits',
      { messages: hello, max_tokens: 1, max_completion_tokens: 2 },
      [400, 'invalid_parameter', 'max_tokens'],
    ],
    [
      'an unknown role',
      { messages: [{ role: 'robot', content: '' }] },
      [400, 'invalid_parameter', 'messages[0].role'],
    ],
    [
      'a name',
      { messages: [{ role: 'user', content: 'a', name: 'Ada' }] },
      [400, 'unsupported_parameter', 'messages[0].name'],
    ],
    [
      'a sound',
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] },
      [400, 'unsupported_parameter', 'messages[0].content[0].type'],
    ],
    [
      'a picture of the assistant',
      { messages: [{ role: 'assistant', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }] },
      [400, 'unsupported_parameter', 'messages[0].content[0].type'],
    ],
    [
      'an unknown field of a part',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'a', size: 1 }] }] },
      [400, 'unknown_parameter', 'messages[0].content[0].size'],
    ],
    [
      'an assistant that said nothing',
      { messages: [{ role: 'assistant', content: null }] },
      [400, 'missing_parameter', 'messages[0].content'],
    ],
    [
      'a result without its call',
      { messages: [...hello, { role: 'tool', tool_call_id: 'call_9', content: 'x' }] },
      [400, 'invalid_parameter', 'messages[1].tool_call_id'],
    ],
    [
      'an unknown tool of a choice',
      { messages: hello, tools: [tool], tool_choice: { type: 'function', function: { name: 'b' } } },
      [400, 'invalid_parameter', 'tool_choice.function.name'],
    ],
    [
      'a tool that is no function',
      { messages: hello, tools: [{ type: 'custom', custom: { name: 'x' } }] },
      [400, 'unsupported_parameter', 'tools[0].type'],
    ],
    [
      'another format',
      { messages: hello, response_format: { type: 'grammar' } },
      [400, 'unsupported_parameter', 'response_format.type'],
    ],
  ])('%s', async (_, body, expected) => {
    const fixture = await openChat();
    expect(await refused(fixture, body)).toEqual(expected);
    expect(asked(fixture)).toEqual([]);
    expect(fixture.problems).toEqual([]);
  });

  test('calls without their results', async () => {
    const fixture = await openChat();
    const messages = [...hello, { role: 'assistant', content: '', tool_calls: [call] }, ...hello];
    const [status, code] = await refused(fixture, { messages });
    expect([status, code]).toEqual([400, 'invalid_parameter']);
    expect(fixture.problems).toEqual([]);
  });

  test('null is as good as leaving a field out', async () => {
    const fixture = await openChat();
    const nothing = Object.fromEntries(
      ['temperature', 'stop', 'seed', 'tools', 'tool_choice', 'n', 'store', 'logprobs', 'max_tokens', 'audio']
        .concat(['response_format', 'stream', 'stream_options', 'metadata', 'functions', 'model'])
        .map((name) => [name, null]),
    );
    const reply = await fixture.request('POST', '/v1/chat/completions', { messages: hello, ...nothing });
    expect(reply.status, await reply.text()).toBe(200);
  });
});

describe('when it goes wrong', () => {
  const error = { code: 'engine_failed', details: { reason: 'scripted' } } as const;

  test('before the first word, a stream is refused with a status', async () => {
    const fixture = await openChat({ engine: { script: [{ error }] } });
    const [status, code] = await refused(fixture, { messages: hello, stream: true });
    expect([status, code]).toEqual([500, 'engine_failed']);
    expect(fixture.failed).toMatchObject([{ code: 'engine_failed' }]);
  });

  test('after it, the error is a frame and the last one', async () => {
    const fixture = await openChat({
      engine: { script: [{ pieces: ['a', 'b'], delayMs: 20, error, errorAt: 1 }] },
    });
    const reply = await fixture.request('POST', '/v1/chat/completions', { messages: hello, stream: true });
    expect(reply.status).toBe(200);
    const chunks = chunksOf(await reply.text());
    expect(chunks.at(-1)).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'engine_failed' },
    });
    expect(chunks).not.toContain('[DONE]');
    expect(fixture.finished).toEqual([]);
    expect(fixture.spent.tokens).toBe(0);
  });

  test("after it, OpenAI's client throws", async () => {
    const fixture = await openChat({
      engine: { script: [{ pieces: ['a', 'b'], delayMs: 20, error, errorAt: 1 }] },
    });
    const client = await listen(fixture);
    const stream = await client.chat.completions.create({ model, messages: hello, stream: true });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow(OpenAI.APIError);
  });

  test.each([true, false])('a client that leaves stops its turn (stream: %s)', async (stream) => {
    const fixture = await openChat({ engine: { script: [{ pieces: ['a', 'b', 'c'], stallAt: 2 }] } });
    const client = await listen(fixture);
    const leaving = new AbortController();
    const request = client.chat.completions.create(
      { model, messages: hello, stream },
      { signal: leaving.signal },
    );
    const failed = request.then(
      async (reply) => {
        for await (const _ of reply as AsyncIterable<unknown>);
      },
      () => {},
    );
    await vi.waitFor(async () => expect((await fixture.engine.stats()).running).toBe(1));
    await sleep(50);
    leaving.abort();
    await failed.catch(() => {});
    await vi.waitFor(() => expect(fixture.engine.calls.at(-1)).toMatchObject({ type: 'abort', pieces: 2 }));
    expect(fixture.finished).toEqual([]);
    expect(fixture.problems).toEqual([]);
  });
});

describe('models', () => {
  test('the model is listed under each of its names', async () => {
    const fixture = await openChat({ config: { modelAliases: ['gpt-4o', 'Qwen/Qwen3-VL'] } });
    const client = await listen(fixture);
    const listed: OpenAI.Model[] = [];
    for await (const one of client.models.list()) listed.push(one);
    expect(listed.map(({ id }) => id)).toEqual([model, 'gpt-4o', 'Qwen/Qwen3-VL']);
    expect(listed[0]).toEqual({
      id: model,
      object: 'model',
      created: expect.any(Number),
      owned_by: 'afterimage',
      root: model,
      context_length: 8192,
      vision: true,
    });
    for (const one of listed) expect(await client.models.retrieve(one.id)).toEqual(one);
    await expect(client.models.retrieve('gpt-9')).rejects.toThrow('There is no model gpt-9');
    const completion = await client.chat.completions.create({ model: 'gpt-4o', messages: hello });
    expect(completion.model).toBe(model);
  });
});

describe('sessions', () => {
  const summary = (id: unknown) => ({
    id,
    object: 'session',
    conversation_id: null,
    last_response_id: expect.stringMatching(/^resp_/),
    turns: 1,
    items: 2,
    pictures: 0,
    record_bytes: expect.any(Number),
    created_at: expect.any(Number),
    expires_at: expect.any(Number),
    version: expect.any(Number),
  });

  test('they are listed page by page, shown, and ended', async () => {
    const fixture = await openChat();
    for (let turn = 0; turn < 5; turn += 1) {
      await fixture.request('POST', '/v1/responses', { input: `Hello ${turn}` });
    }
    const found: { id: string; last_response_id: string; created_at: number; expires_at: number }[] = [];
    for (let after = ''; ; ) {
      const reply = await fixture.request('GET', `/v1/sessions?limit=2${after && `&after=${after}`}`);
      const page = (await reply.json()) as { data: typeof found; has_more: boolean; last_id: string };
      found.push(...page.data);
      if (!page.has_more) break;
      after = page.last_id;
      expect(found.length).toBeLessThan(5);
    }
    expect(new Set(found.map(({ id }) => id)).size).toBe(5);
    const [first] = found;
    if (!first) throw new Error('there is no session');
    expect(first).toEqual(summary(expect.stringMatching(/^[0-9A-Za-z]{22}$/)));
    expect(first.expires_at - first.created_at).toBeGreaterThan(1_700);
    for (const id of [first.id, first.last_response_id]) {
      const shown = await (await fixture.request('GET', `/v1/sessions/${id}`)).json();
      expect(shown).toEqual({ ...first, picture_list: [], picture_in_question: null, state: [] });
    }
    const gone = await fixture.request('DELETE', `/v1/sessions/${first.id}`);
    expect(await gone.json()).toEqual({
      id: first.id,
      object: 'session.deleted',
      deleted: true,
      removed: { items: 2, responses: 1, pictures: 0, bytes_freed: expect.any(Number) },
    });
    expect((await fixture.request('GET', `/v1/sessions/${first.id}`)).status).toBe(404);
    expect((await fixture.request('GET', `/v1/responses/${first.last_response_id}`)).status).toBe(404);
  });

  test("another tenant's is as unknown as one that never was", async () => {
    const fixture = await openChat();
    const made = await fixture.request('POST', '/v1/responses', { input: 'Hello' }, { tenant: 'acme' });
    const { id: responseId } = (await made.json()) as { id: string };
    const id = responseId.slice('resp_'.length, 'resp_'.length + 22);
    const never = '0'.repeat(22);
    for (const method of ['GET', 'DELETE']) {
      const foreign = await fixture.request(method, `/v1/sessions/${id}`);
      const unknown = await fixture.request(method, `/v1/sessions/${never}`);
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      expect((await foreign.text()).replace(id, never)).toBe(await unknown.text());
    }
    expect(await (await fixture.request('GET', '/v1/sessions')).json()).toMatchObject({ data: [] });
    expect((await fixture.request('GET', `/v1/sessions/${id}`, undefined, { tenant: 'acme' })).status).toBe(
      200,
    );
  });
});

test('no body makes more than a refusal', async () => {
  const fixture = await openChat();
  const good: Record<string, unknown> = {
    messages: [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: [{ type: 'text', text: 'Look' }, seen(red)] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: toolCalls[0] }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'red' },
    ],
    tools: [tool],
    tool_choice: 'auto',
    response_format: { type: 'text' },
    stop: ['a'],
    stream: false,
    stream_options: null,
    temperature: 1,
    max_tokens: 4,
    logit_bias: { 1: 1 },
  };
  /** Every place in the body, as a list of keys. */
  const places = (value: unknown, path: readonly (string | number)[] = []): (string | number)[][] =>
    value === null || typeof value !== 'object'
      ? [[...path]]
      : [
          [...path],
          ...Object.entries(value).flatMap(([key, inner]) =>
            places(inner, [...path, Array.isArray(value) ? Number(key) : key]),
          ),
        ];
  const replaced = (value: unknown, path: readonly (string | number)[], put: unknown): unknown => {
    const [key, ...rest] = path;
    if (key === undefined) return put;
    if (Array.isArray(value))
      return value.map((inner, at) => (at === key ? replaced(inner, rest, put) : inner));
    const fields = value as Record<string, unknown>;
    return { ...fields, [key]: replaced(fields[key], rest, put) };
  };
  const junk = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('', 'file-', `file-${'0'.repeat(22)}`, 'data:', -1, 1e308, [[]], { type: 'text' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places(good)), junk, async (path, put) => {
      const body = replaced(good, path, put);
      const reply = await fixture.request('POST', '/v1/chat/completions', JSON.stringify(body), {
        headers: { 'content-type': 'application/json' },
      });
      const text = await reply.text();
      if (reply.status === 200) return;
      expect(reply.status, text).toBeLessThan(500);
      expect(Object.keys(errorTable)).toContain(JSON.parse(text).error.code);
    }),
    { numRuns: 500 },
  );
  expect(fixture.problems).toEqual([]);
});
