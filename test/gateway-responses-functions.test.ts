import type OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { create, listen, openResponses, refused } from './helpers/responsesFixture.ts';

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
