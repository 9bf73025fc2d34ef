import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routeFixtures } from '../../../test/helpers/routeFixture.ts';
import { errorTable } from '../../core/errors.ts';
import { createSchema } from './requestSchema.ts';
import { responsesRoutes } from './routes.ts';

const open = routeFixtures();
const tool = { type: 'function', name: 'find', parameters: { type: 'object' } };

async function refusal(body: unknown, path = '/v1/responses') {
  const { request } = await open(responsesRoutes);
  const reply = await request('POST', path, body);
  const { error } = (await reply.json()) as {
    error: { code: string; param: string | null; message: string };
  };
  return { status: reply.status, ...error };
}

test.each([
  [{}, 'missing_parameter', 'input'],
  [{ input: null }, 'missing_parameter', 'input'],
  [{ input: [] }, 'invalid_parameter', 'input'],
  [{ input: [{ type: 'reasoning', summary: [] }] }, 'invalid_parameter', 'input'],
  [{ input: 'x', foo: 1 }, 'unknown_parameter', 'foo'],
  [{ input: 'x', text: { foo: 1 } }, 'unknown_parameter', 'text.foo'],
  [{ input: 'x', tools: [{ ...tool, foo: 1 }] }, 'unknown_parameter', 'tools[0].foo'],
  [{ input: 'x', tools: [{ type: 'function' }] }, 'missing_parameter', 'tools[0].name'],
  [{ input: 'x', tools: [{ ...tool, name: 'a b' }] }, 'invalid_parameter', 'tools[0].name'],
  [{ input: 'x', tools: [{ type: 'web_search' }] }, 'unsupported_parameter', 'tools[0].type'],
  [
    { input: 'x', tools: [{ ...tool, defer_loading: true }] },
    'unsupported_parameter',
    'tools[0].defer_loading',
  ],
  [{ input: 'x', tool_choice: { type: 'mcp' } }, 'unsupported_parameter', 'tool_choice.type'],
  [
    { input: 'x', tools: [tool], tool_choice: { type: 'function', name: 'y' } },
    'invalid_parameter',
    'tool_choice.name',
  ],
  [
    {
      input: 'x',
      tools: [tool],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'y' }] },
    },
    'invalid_parameter',
    'tool_choice.tools[0].name',
  ],
  [{ input: 'x', text: { format: { type: 'grammar' } } }, 'unsupported_parameter', 'text.format.type'],
  [{ input: 'x', text: { verbosity: 'low' } }, 'unsupported_parameter', 'text.verbosity'],
  [{ input: 'x', temperature: 3 }, 'invalid_parameter', 'temperature'],
  [{ input: 'x', max_output_tokens: 0 }, 'invalid_parameter', 'max_output_tokens'],
  [{ input: 'x', stop: ['1', '2', '3', '4', '5'] }, 'invalid_parameter', 'stop'],
  [{ input: 'x', reasoning: { effort: 'high' } }, 'unsupported_parameter', 'reasoning.effort'],
  [{ input: 'x', service_tier: 'flex' }, 'unsupported_parameter', 'service_tier'],
  [{ input: 'x', top_logprobs: 2 }, 'unsupported_parameter', 'top_logprobs'],
  [{ input: 'x', include: ['message.output_text.logprobs'] }, 'unsupported_parameter', 'include[0]'],
  [
    { input: 'x', stream_options: { include_obfuscation: true } },
    'unsupported_parameter',
    'stream_options.include_obfuscation',
  ],
  [{ input: 'x', prompt_cache_options: { ttl: '12h' } }, 'unsupported_parameter', 'prompt_cache_options.ttl'],
  [{ input: 'x', prompt_cache_retention: '24h' }, 'unsupported_parameter', 'prompt_cache_retention'],
  [
    { input: 'x', image: { context_compression: 'enabled' } },
    'unsupported_parameter',
    'image.context_compression',
  ],
  [{ input: 'x', prompt: { id: 'p' } }, 'unsupported_parameter', 'prompt'],
  [
    { input: 'x', context_management: [{ type: 'compaction' }] },
    'unsupported_parameter',
    'context_management',
  ],
  [{ input: 'x', store: false, background: true }, 'invalid_parameter', 'background'],
  [
    { input: 'x', store: false, prompt_cache_options: { prewarm: true } },
    'invalid_parameter',
    'prompt_cache_options.prewarm',
  ],
  [{ input: 'x', idle_ttl_ms: 86_400_000 }, 'invalid_parameter', 'idle_ttl_ms'],
  [{ input: 'x', metadata: { a: 1 } }, 'invalid_parameter', 'metadata.a'],
  [
    { input: 'x', previous_response_id: 'resp_1', conversation: 'conv_1' },
    'invalid_parameter',
    'previous_response_id',
  ],
])('%j is refused as %s of %s', async (body, code, param) => {
  const refused = await refusal(body);
  expect(refused).toMatchObject({ status: 400, code, param });
  expect(refused.message).toContain(param);
});

test('what is missing is 404, under its own code when a response was to be built on', async () => {
  const previous = await refusal({ input: 'x', previous_response_id: 'resp_never' });
  expect(previous).toMatchObject({
    status: 404,
    code: 'previous_response_not_found',
    param: 'previous_response_id',
  });
  for (const conversation of ['conv_never', { id: 'conv_never' }]) {
    const refused = await refusal({ input: 'x', conversation });
    expect(refused).toMatchObject({ status: 404, code: 'not_found', param: 'conversation' });
  }
  const referred = [{ type: 'item_reference', id: 'msg_never' }];
  expect(await refusal({ input: referred })).toMatchObject({
    status: 404,
    code: 'not_found',
    param: 'input[0].id',
  });
  expect(await refusal({ input: 'x', model: 'other' })).toMatchObject({
    status: 404,
    code: 'model_not_found',
    param: 'model',
  });
});

test('counting refuses what it does not know', async () => {
  const path = '/v1/responses/input_tokens';
  expect(await refusal({}, path)).toMatchObject({ code: 'invalid_parameter', param: 'input' });
  expect(await refusal({ input: 'x', store: true }, path)).toMatchObject({
    code: 'unknown_parameter',
    param: 'store',
  });
  const personal = await refusal({ input: 'x', personality: 'friendly' }, path);
  expect(personal).toMatchObject({ code: 'unsupported_parameter', param: 'personality' });
});

test.each(['starting_after=1', 'include_obfuscation=false'])('%s needs a stream', async (query) => {
  const { request } = await open(responsesRoutes);
  const reply = await request('GET', `/v1/responses/resp_x?${query}`);
  expect(await reply.json()).toMatchObject({
    error: { code: 'invalid_parameter', param: query.split('=')[0] },
  });
});

test.each([
  ['stream=yes', 'stream'],
  ['stream=true&starting_after=-1', 'starting_after'],
  ['foo=1', 'foo'],
  ['include[]=nothing', 'include[]'],
])('the query %s is refused', async (query, param) => {
  const { request } = await open(responsesRoutes);
  const reply = await request('GET', `/v1/responses/resp_x?${query}`);
  expect(reply.status).toBe(400);
  const { error } = (await reply.json()) as { error: { param: string } };
  expect(error.param.startsWith(param)).toBe(true);
});

test('no body, however malformed, is answered by anything but 200 or one of our refusals', async () => {
  const { request, problems } = await open(responsesRoutes);
  const field = fc.constantFrom(...Object.keys(createSchema.shape), 'role', 'unknown');
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom<unknown>('x', null, 0, -1, 1e308, [], {}, [{}], { type: 'function' }, { id: 'x' }, tool, [
      tool,
    ]),
  );
  const body = fc
    .dictionary(field, value, { maxKeys: 5 })
    .chain((fields) =>
      fc.constantFrom(
        fields,
        { input: 'x', ...fields },
        { ...fields, input: [{ role: 'user', content: 'x' }] },
      ),
    );
  await fc.assert(
    fc.asyncProperty(body, async (given) => {
      const reply = await request('POST', '/v1/responses', given);
      if (reply.status === 200) return void (await reply.text());
      const { error } = (await reply.json()) as { error: { code: keyof typeof errorTable } };
      expect(errorTable[error.code]?.status).toBe(reply.status);
      expect(reply.status).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
  expect(problems).toEqual([]);
});
