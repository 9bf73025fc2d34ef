import { describe, expect, test } from 'vitest';
import type { FunctionTool, ToolCall } from '../src/core/tools.ts';
import type { InputItem, Item } from '../src/session/items.ts';
import type { ResponseView } from '../src/session/view.ts';
import { PlannedEngine } from './helpers/sessionEngine.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, inventory, picture, say } from './helpers/sessions.ts';

const fixture = fixtures();
const tools: FunctionTool[] = [{ name: 'zoom', parameters: { type: 'object' } }];
const zoom: ToolCall = { name: 'zoom', arguments: '{"x":1}' };
const turnOver: ToolCall = { name: 'turn', arguments: '{}' };

/** First the planned calls, then plain text. */
const calling = (text: string, ...toolCalls: ToolCall[]) =>
  new PlannedEngine((_, index) => (index === 0 ? { text, toolCalls } : { text: `answer ${index}` }));

const callIds = ({ output }: ResponseView): string[] =>
  output.flatMap((item) => (item.type === 'function_call' ? item.callId : []));
const outputFor = (callId: string, output: string): InputItem => ({
  type: 'function_call_output',
  callId,
  output,
});
const rolesOf = ({ requests }: PlannedEngine) => requests.at(-1)?.messages.map(({ role }) => role);

describe('function calls', () => {
  test('become items after the message, with the same ids in events, response, record and replay', async () => {
    const engine = calling('Let me look.', zoom, turnOver);
    const { manager } = await fixture({ engine });
    const request = {
      input: say('What is small?'),
      tools,
      toolChoice: 'auto',
      parallelToolCalls: false,
      format: { type: 'json_object' },
      traceparent: '00-1-2-01',
      idempotencyKey: 'k',
    } as const;
    const first = await ask(manager, request);
    const { input: _input, idempotencyKey: _key, ...passedOn } = request;
    expect(engine.requests[0]).toMatchObject(passedOn);
    const { output } = first.response;
    expect(first.response).toMatchObject({ status: 'completed', result: { finishReason: 'tool_calls' } });
    expect(output).toMatchObject([
      { type: 'message', status: 'completed', content: [{ text: 'Let me look.' }] },
      { type: 'function_call', status: 'completed', ...zoom },
      { type: 'function_call', status: 'completed', ...turnOver },
    ]);
    expect(callIds(first.response)).toEqual([
      expect.stringMatching(/^call_[0-9A-Za-z]{22}$/),
      expect.stringMatching(/^call_/),
    ]);
    expect(new Set(output.map(({ id }) => id)).size).toBe(3);
    const streamed = first.events.flatMap((event) => (event.type === 'functionCall' ? event.item : []));
    expect(streamed).toEqual(output.slice(1));
    const delta = first.events.find((event) => event.type === 'delta');
    expect(delta).toMatchObject({ itemId: output[0]?.id });
    const replayed = await ask(manager, request);
    expect(replayed.replayed).toBe(true);
    expect(replayed.response).toEqual(first.response);
    expect(replayed.events.slice(1, -1)).toEqual(first.events.slice(1, -1));
    expect(await manager.responses.get('acme', first.response.id)).toEqual(first.response);
    expect(Object.keys(output[0] as Item)).not.toContain('tokens');
  });

  test('without text there is no message; the outputs go on with the tokens of the whole answer', async () => {
    const engine = calling('', zoom, turnOver);
    const { manager } = await fixture({ engine });
    const first = await ask(manager, { input: say('Look'), tools });
    const [a = '', b = ''] = callIds(first.response);
    expect(first.response.output.map(({ type }) => type)).toEqual(['function_call', 'function_call']);
    const second = await ask(manager, {
      input: [outputFor(b, 'over'), outputFor(a, 'near'), ...say('Well?')],
      previousResponseId: first.response.id,
    });
    const messages = engine.requests[1]?.messages ?? [];
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'user']);
    const tokens = Array.from(JSON.stringify([zoom, turnOver]), (letter) => letter.codePointAt(0));
    expect(messages[1]).toEqual({ role: 'assistant', content: [], toolCalls: [zoom, turnOver], tokens });
    expect(messages.slice(2, 4).map(({ content }) => content)).toEqual([
      [{ type: 'text', text: 'near' }],
      [{ type: 'text', text: 'over' }],
    ]);
    await ask(manager, { input: say('And?'), previousResponseId: second.response.id });
    expect(engine.requests[2]?.messages.slice(0, 5)).toEqual(messages);
  });

  test('an answer cut at its length is incomplete; what was called is whole', async () => {
    const engine = new PlannedEngine((_, index) => ({
      text: 'abc',
      finishReason: 'length',
      toolCalls: index === 0 ? [] : [zoom],
    }));
    const { manager } = await fixture({ engine });
    const cut = await ask(manager, { input: say('a'), tools });
    expect(cut.response).toMatchObject({ status: 'incomplete', output: [{ status: 'incomplete' }] });
    const called = await ask(manager, { input: say('b'), tools });
    expect(called.response).toMatchObject({
      status: 'incomplete',
      output: [{ status: 'completed' }, { type: 'function_call', status: 'completed' }],
    });
  });

  test('in the background they are replayed like any event, unstored they have ids too', async () => {
    const engine = new PlannedEngine(() => ({ text: '', toolCalls: [zoom] }));
    const { manager } = await fixture({ engine });
    const { response } = await ask(manager, { input: say('a'), tools, background: true });
    await expect.poll(async () => (await manager.stats()).runningTurns).toBe(0);
    const types: string[] = [];
    for await (const event of await manager.responses.events('acme', response.id)) types.push(event.type);
    expect(types).toEqual(['started', 'functionCall', 'finished']);
    const unstored = await ask(manager, { input: say('a'), tools, store: false });
    expect(unstored.events[1]).toEqual({ type: 'functionCall', item: unstored.response.output[0] });
  });
});

describe('outputs', () => {
  test('must answer a call that is there, once, and no call may be left open', async () => {
    const engine = calling('', zoom);
    const { manager, store } = await fixture({ engine });
    const first = await ask(manager, { input: say('Look'), tools });
    const [callId = ''] = callIds(first.response);
    const base = { previousResponseId: first.response.id };
    const before = await inventory(store);
    const refused = async (input: InputItem[], param: string, problem: string) => {
      await expect(ask(manager, { input, ...base })).rejects.toMatchObject({
        code: 'invalid_parameter',
        details: { param, problem: expect.stringContaining(problem) },
      });
    };
    await refused([outputFor('call_x', '')], 'input[0].call_id', 'there is no function call call_x');
    await refused(say('And?'), 'input', `no tool output found for function call ${callId}`);
    await refused([outputFor(callId, 'a'), outputFor(callId, 'b')], 'input[1].call_id', 'output already');
    const again: InputItem = { type: 'function_call', callId, ...zoom };
    await refused([again, outputFor(callId, 'a')], 'input[0].call_id', 'there already');
    await expect(manager.countInput('acme', { input: say('And?'), ...base })).rejects.toMatchObject({
      code: 'invalid_parameter',
    });
    expect(engine.requests).toHaveLength(1);
    expect(await inventory(store)).toEqual(before);
    const branches = ['a', 'b'].map((text) => ask(manager, { input: [outputFor(callId, text)], ...base }));
    const [one] = await Promise.all(branches);
    await expect(
      ask(manager, { input: [outputFor(callId, 'c')], previousResponseId: one?.response.id ?? '' }),
    ).rejects.toMatchObject({ details: { param: 'input[0].call_id' } });
  });

  test('of a history that the client brings may use a call id again once it is answered', async () => {
    const { manager, engine } = await fixture({ engine: calling('x') });
    const call: InputItem = { type: 'function_call', callId: '0', ...zoom };
    await ask(manager, { input: [call, outputFor('0', 'a'), call, outputFor('0', 'b')], store: false });
    expect(rolesOf(engine)).toEqual(['assistant', 'tool', 'assistant', 'tool']);
  });

  test('with a picture hold it, and let it go with the session', async () => {
    const engine = calling('', zoom);
    const { manager, store } = await fixture({ engine });
    const first = await ask(manager, { input: say('Look'), tools });
    const [callId = ''] = callIds(first.response);
    const { blobId } = await manager.files.putPicture('acme', picture);
    const output = [
      { type: 'input_image', blobId },
      { type: 'input_text', text: 'there' },
    ] as const;
    const second = await ask(manager, {
      input: [{ type: 'function_call_output', callId, output }],
      previousResponseId: first.response.id,
    });
    expect(engine.requests[1]?.messages[2]).toMatchObject({
      role: 'tool',
      content: [{ type: 'image' }, { type: 'text', text: 'there' }],
    });
    expect(second.response.result?.tier).toBe('pixels');
    const [item] = (await manager.responses.inputItems('acme', second.response.id, {})).data;
    expect(item).toMatchObject({
      output: [{ type: 'input_image', blobId, detail: 'auto' }, { text: 'there' }],
    });
    await manager.responses.delete('acme', first.response.id);
    expect((await inventory(store)).upload).toEqual([blobId]);
    expect((await manager.responses.delete('acme', second.response.id)).removed).toMatchObject({
      pictures: 1,
    });
    expect(await inventory(store)).toEqual({});
  });

  test('can be added to a conversation later, and erased: the call then waits for none', async () => {
    const engine = calling('', zoom);
    const { manager } = await fixture({ engine });
    const { id } = await manager.conversations.create('acme', {});
    const first = await ask(manager, { input: say('Look'), tools, conversationId: id });
    const [callId = ''] = callIds(first.response);
    await expect(manager.conversations.append('acme', id, [outputFor('c', '')])).rejects.toMatchObject({
      details: { param: 'items[0].call_id' },
    });
    const [output] = await manager.conversations.append('acme', id, [outputFor(callId, 'a')]);
    await ask(manager, { input: say('b'), conversationId: id });
    expect(rolesOf(engine)).toEqual(['user', 'assistant', 'tool', 'user']);
    await manager.conversations.deleteItem('acme', id, output?.id ?? '');
    const listed = (await manager.conversations.items('acme', id, { order: 'asc' })).data;
    expect(Object.keys(listed[1] ?? {}).sort()).toEqual([
      'arguments',
      'callId',
      'id',
      'name',
      'status',
      'type',
    ]);
    await ask(manager, { input: say('c'), conversationId: id });
    expect(rolesOf(engine)).toEqual(['user', 'user', 'assistant', 'user']);
    await ask(manager, { input: [outputFor(callId, 'better')], conversationId: id });
    expect(engine.requests.at(-1)?.messages[2]).toMatchObject({
      role: 'tool',
      content: [{ text: 'better' }],
    });
  });
});
