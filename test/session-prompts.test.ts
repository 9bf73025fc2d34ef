import { describe, expect, test } from 'vitest';
import type { InputItem } from '../src/session/items.ts';
import { PlannedEngine } from './helpers/sessionEngine.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, inventory, picture, say } from './helpers/sessions.ts';

const fixture = fixtures();
const words = (letter: string): string => letter.repeat(50);
const shownBy = (engine: PlannedEngine): string[] =>
  engine.requests.at(-1)?.messages.map(({ content }) => {
    const [part] = content;
    return part?.type === 'text' ? part.text.slice(0, 3) : '';
  }) ?? [];

describe('truncation', () => {
  test('auto leaves out the oldest items that there is no room for, and says how many', async () => {
    const engine = new PlannedEngine(() => ({ text: 'ok' }), 300);
    const { manager } = await fixture({ engine });
    const rules: InputItem = {
      type: 'message',
      role: 'system',
      content: [{ type: 'input_text', text: 'rules' }],
    };
    const { id } = await manager.conversations.create('acme', { items: [rules] });
    const dropped: unknown[] = [];
    for (const letter of 'abcdefgh') {
      const turn = await ask(manager, {
        input: say(words(letter)),
        conversationId: id,
        truncation: 'auto',
        maxOutputTokens: 100,
      });
      dropped.push(turn.response.result?.droppedItems);
      const { promptTokens = 0 } = turn.response.result?.usage ?? {};
      expect(promptTokens + 100).toBeLessThanOrEqual(300);
    }
    expect(dropped).toEqual([0, 0, 0, 3, 3, 5, 9, 11]);
    expect(shownBy(engine)).toEqual(['rul', 'ok', 'ggg', 'ok', 'hhh']);
    expect((await manager.conversations.items('acme', id, {})).data).toHaveLength(17);
    const all = { input: say(words('i')), conversationId: id, maxOutputTokens: 100 };
    const counted = await manager.countInput('acme', { ...all, truncation: 'auto' });
    expect(counted.promptTokens).toBeLessThanOrEqual(200);
    expect((await manager.countInput('acme', all)).promptTokens).toBeGreaterThan(400);
    await expect(ask(manager, all)).rejects.toMatchObject({ code: 'context_length_exceeded' });
    const counts = engine.counts;
    await ask(manager, { ...all, truncation: 'auto' });
    expect(engine.counts - counts).toBeLessThanOrEqual(10);
  });

  test('never leaves out the new input; a turn that is refused keeps nothing', async () => {
    const engine = new PlannedEngine(() => ({ text: 'ok' }), 100);
    const { manager, store } = await fixture({ engine });
    const a = await ask(manager, { input: say('a') });
    const before = await inventory(store);
    const long = { input: say('x'.repeat(101)), truncation: 'auto' } as const;
    for (const base of [{}, { previousResponseId: a.response.id }]) {
      await expect(ask(manager, { ...long, ...base })).rejects.toMatchObject({
        code: 'context_length_exceeded',
        details: { needed: 102, limit: 100 },
      });
    }
    expect(await inventory(store)).toEqual(before);
  });

  test('keeps a call that the new input answers', async () => {
    const call = { name: 'f', arguments: '{}' };
    const engine = new PlannedEngine(
      (_, index) => (index === 1 ? { toolCalls: [call] } : { text: 'ok' }),
      300,
    );
    const { manager } = await fixture({ engine });
    const a = await ask(manager, { input: say(words('a')) });
    const b = await ask(manager, { input: say(words('b')), previousResponseId: a.response.id });
    const [item] = b.response.output;
    const callId = item?.type === 'function_call' ? item.callId : '';
    const c = await ask(manager, {
      input: [{ type: 'function_call_output', callId, output: words('c') }],
      previousResponseId: b.response.id,
      truncation: 'auto',
      maxOutputTokens: 200,
    });
    expect(engine.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(['assistant', 'tool']);
    expect(c.response.result?.droppedItems).toBe(3);
  });
});

describe('countInput', () => {
  test('counts what a turn would take and writes nothing', async () => {
    const engine = new PlannedEngine(() => ({ text: 'ok' }));
    const { manager, store } = await fixture({ engine });
    const { blobId } = await manager.files.putPicture('acme', picture);
    const fresh = { input: say('look', { blobId }), instructions: 'Be brief.' };
    const uploaded = await inventory(store);
    const count = await manager.countInput('acme', fresh);
    expect(count).toMatchObject({ imageTokens: 4, limit: 100_000 });
    expect(await inventory(store)).toEqual(uploaded);
    const a = await ask(manager, fresh);
    expect(a.response.result?.usage.promptTokens).toBe(count.promptTokens);
    const { id } = await manager.conversations.create('acme', { items: say('hello') });
    const before = JSON.stringify(await store.records.list('acme', 'session', { limit: 9 }));
    for (const base of [{ previousResponseId: a.response.id }, { conversationId: id }]) {
      const request = { input: say('and?'), ...base };
      const { promptTokens } = await manager.countInput('acme', request);
      const [empty] = [await manager.countInput('acme', { input: [], ...base })];
      expect(empty.promptTokens).toBeLessThan(promptTokens);
      expect(JSON.stringify(await store.records.list('acme', 'session', { limit: 9 }))).toBe(before);
      const unstored = await ask(manager, { ...request, store: false });
      expect(unstored.response.result?.usage.promptTokens).toBe(promptTokens);
    }
    await expect(manager.countInput('acme', { input: [] })).rejects.toMatchObject({
      code: 'invalid_parameter',
    });
    const foreign = manager.countInput('other', { input: say('b'), previousResponseId: a.response.id });
    await expect(foreign).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('comparison', () => {
  const tools = [{ name: 'f' }];

  test('says how much of the other prompt was computed again, and why', async () => {
    let reusedTokens = 0;
    const engine = new PlannedEngine(() => ({ text: 'ok', reusedTokens }));
    const { manager } = await fixture({ engine });
    const first = await ask(manager, { input: say(words('a')), tools });
    const other = first.response.id;
    const had = first.response.result?.usage.promptTokens ?? 0;
    expect(first.response.comparison).toBeNull();
    const compare = async (request: object, reused: number) => {
      reusedTokens = reused;
      const turn = await ask(manager, { input: say('b'), comparisonResponseId: other, ...request });
      return turn.response.comparison;
    };
    const onward = { previousResponseId: other, tools };
    expect(await compare(onward, had)).toEqual({ type: 'hit' });
    expect(await compare(onward, had - 16)).toEqual({ type: 'hit' });
    const miss = (missedTokens: number, reason: string) => ({ type: 'miss', missedTokens, reason });
    expect(await compare(onward, 10)).toEqual(miss(had - 10, 'unavailable'));
    expect(await compare({ ...onward, toolChoice: 'required' }, 10)).toEqual(miss(had - 10, 'tools_changed'));
    const format = { type: 'json_object' };
    expect(await compare({ ...onward, format }, 10)).toEqual(miss(had - 10, 'text_format_changed'));
    expect(await compare({ ...onward, instructions: 'Other.' }, 10)).toEqual(miss(had - 10, 'input_changed'));
    const short = await ask(manager, { input: say('b'), tools });
    const length = short.response.result?.usage.promptTokens ?? 0;
    expect(await compare({ tools }, 1)).toEqual(miss(length - 1, 'input_changed'));
    expect(await compare({ comparisonResponseId: 'resp_x' }, 9)).toEqual(miss(0, 'not_found'));
    const foreign = { input: say('b'), comparisonResponseId: other };
    const seen = await ask(manager, foreign, { tenant: 'other' });
    expect(seen.response.comparison).toEqual(miss(0, 'not_found'));
  });

  test('is kept with the response, and knows what was only prewarmed', async () => {
    const engine = new PlannedEngine(() => ({ text: 'ok', reusedTokens: 40 }));
    const { manager } = await fixture({ engine });
    const warm = await ask(manager, { input: say(words('a')), prewarm: true });
    expect(warm.response.comparison).toBeNull();
    const request = {
      input: say('b'),
      previousResponseId: warm.response.id,
      comparisonResponseId: warm.response.id,
      idempotencyKey: 'k',
    };
    const turn = await ask(manager, request);
    expect(turn.response.comparison).toEqual({ type: 'hit' });
    expect((await ask(manager, request)).response).toEqual(turn.response);
    expect((await manager.responses.get('acme', turn.response.id)).comparison).toEqual({ type: 'hit' });
    const unstored = await ask(manager, {
      input: say('c'),
      previousResponseId: turn.response.id,
      comparisonResponseId: turn.response.id,
      store: false,
    });
    expect(unstored.response.comparison).toEqual({ type: 'hit' });
  });
});
