import { describe, expect, test } from 'vitest';
import { ScriptedEngine } from '../src/inference/scriptedEngine.ts';
import { decodeRecord } from '../src/session/recordCodec.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, inventory, picture, say, stalling } from './helpers/sessions.ts';

const fixture = fixtures();

describe('a tree of responses', () => {
  test('a turn gives its events in order and can be read afterwards', async () => {
    const { manager } = await fixture();
    const turn = await ask(manager, { input: say('Hello'), metadata: { a: '1' }, echo: { model: 'm' } });
    expect(turn.events.map(({ type }) => type).filter((type) => type !== 'delta')).toEqual([
      'started',
      'finished',
    ]);
    const { response } = turn;
    expect(response).toMatchObject({ status: 'completed', metadata: { a: '1' }, echo: { model: 'm' } });
    expect(response.output).toMatchObject([
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: turn.text }] },
    ]);
    expect(response.result?.usage).toMatchObject({ promptTokens: 5, imagesEncoded: 0, reusedTokens: 0 });
    expect(turn.session).toMatchObject({ version: 1 });
    expect(await manager.responses.get('acme', response.id)).toEqual(response);
    const started = turn.events[0];
    expect(started?.type === 'started' && started.response).toMatchObject({
      id: response.id,
      status: 'in_progress',
    });
    expect((await manager.responses.inputItems('acme', response.id, {})).data).toMatchObject([
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
    ]);
  });

  test('branches see their own past only, and committed answers with their tokens', async () => {
    const { manager, engine } = await fixture();
    const a = await ask(manager, { input: say('a'), instructions: 'Be brief.' });
    const b = await ask(manager, { input: say('b'), previousResponseId: a.response.id });
    const c = await ask(manager, { input: say('c'), previousResponseId: a.response.id });
    const d = await ask(manager, { input: say('d'), previousResponseId: c.response.id });
    const texts = engine.calls.map((call) =>
      'request' in call
        ? call.request.messages.map(({ content }) =>
            content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
          )
        : [],
    );
    expect(texts).toEqual([
      ['Be brief.', 'a'],
      ['a', a.text, 'b'],
      ['a', a.text, 'c'],
      ['a', a.text, 'c', c.text, 'd'],
    ]);
    const last = engine.calls.at(-1);
    const assistant = last && 'request' in last && last.request.messages[3];
    expect(assistant).toMatchObject({ tokens: { length: 9 } });
    expect(d.session?.version).toBe(4);
    expect(d.response.previousResponseId).toBe(c.response.id);
    expect(b.response.id).not.toBe(c.response.id);
  });

  test('store: false builds on a session and leaves nothing', async () => {
    const { manager, store } = await fixture();
    const a = await ask(manager, { input: say('a') });
    const before = await inventory(store);
    const b = await ask(manager, { input: say('b'), previousResponseId: a.response.id, store: false });
    expect(b.response.previousResponseId).toBe(a.response.id);
    expect(b.session).toBeNull();
    await ask(manager, { input: say('c'), store: false });
    expect(await inventory(store)).toEqual(before);
    await expect(manager.responses.get('acme', b.response.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('deleting a response leaves its children whole; the last one takes everything', async () => {
    const { manager, store } = await fixture();
    const { file } = await manager.files.put('acme', picture, { filename: 'a.picture', purpose: 'vision' });
    const a = await ask(manager, { input: say('a', { fileId: file.id }) });
    const b = await ask(manager, { input: say('b'), previousResponseId: a.response.id });
    expect(await manager.responses.delete('acme', a.response.id)).toEqual({ removed: undefined });
    await expect(manager.responses.get('acme', a.response.id)).rejects.toMatchObject({ code: 'not_found' });
    const c = await ask(manager, { input: say('c'), previousResponseId: b.response.id });
    expect(c.response.result?.usage.imagesReused).toBe(1);
    expect(await manager.files.delete('acme', file.id)).toEqual({ bytesFreed: 0 });
    await manager.responses.delete('acme', b.response.id);
    const { removed } = await manager.responses.delete('acme', c.response.id);
    expect(removed).toEqual({ items: 6, responses: 1, pictures: 1, bytesFreed: picture.length });
    expect(await inventory(store)).toEqual({});
  });

  test('what only a deleted branch led to is erased, its picture too', async () => {
    const { manager, store } = await fixture();
    const { blobId } = await manager.files.putPicture('acme', picture);
    const a = await ask(manager, { input: say('a') });
    const b = await ask(manager, { input: say('secret', { blobId }), previousResponseId: a.response.id });
    await manager.responses.delete('acme', b.response.id);
    const found = await inventory(store);
    expect(found.upload).toBeUndefined();
    expect(found.blob).toBeUndefined();
    const [session] = await store.records.list('acme', 'session', { limit: 1 });
    const record = decodeRecord(session?.key.id ?? '', session?.value ?? new Uint8Array());
    expect(JSON.stringify(record)).not.toContain('secret');
    expect(record.items).toHaveLength(2);
    await ask(manager, { input: say('c'), previousResponseId: a.response.id });
  });

  test('reasoning is kept and not shown', async () => {
    const { manager, engine } = await fixture();
    const turn = await ask(manager, {
      input: [{ type: 'reasoning', summary: ['hm'], text: null }, ...say('a')],
    });
    expect(
      (await manager.responses.inputItems('acme', turn.response.id, { order: 'asc' })).data,
    ).toMatchObject([{ type: 'reasoning', summary: ['hm'] }, { type: 'message' }]);
    expect(engine.calls.at(-1)).toMatchObject({ request: { messages: [{ role: 'user' }] } });
  });
});

describe('ends', () => {
  test('a reader that leaves stops its turn and frees the session', async () => {
    const { manager, engine, store } = await fixture({ engine: stalling(1) });
    const events = manager.respond('acme', { input: say('a') });
    await events.next();
    const leaving = performance.now();
    await events.return?.();
    await expect.poll(async () => (await manager.stats()).runningTurns, { interval: 5 }).toBe(0);
    expect(performance.now() - leaving).toBeLessThan(250);
    expect((await engine.stats()).running).toBe(0);
    expect(await inventory(store)).toEqual({});
  });

  test('stop lets running turns finish within its budget and takes no new ones', async () => {
    const engine = new ScriptedEngine({
      script: [
        { pieces: ['a', 'b'], delayMs: 20 },
        { stallAt: 1, pieces: ['a', 'b'] },
      ],
    });
    const { manager, store } = await fixture({ engine });
    const quick = ask(manager, { input: say('quick') });
    const stuck = ask(manager, { input: say('stuck') });
    const stuckEnds = expect(stuck).rejects.toMatchObject({ code: 'draining' });
    const stopping = manager.stop(200);
    await expect(ask(manager, { input: say('late') })).rejects.toMatchObject({ code: 'draining' });
    await stopping;
    expect((await quick).response.status).toBe('completed');
    await stuckEnds;
    expect((await inventory(store)).session).toHaveLength(1);
  });

  test('a turn over its time is stopped', async () => {
    const { manager, store } = await fixture({ engine: stalling(0), config: { maxTurnMs: 30 } });
    await expect(ask(manager, { input: say('a') })).rejects.toMatchObject({ code: 'turn_timeout' });
    expect(await inventory(store)).toEqual({});
  });

  test('a failed turn in a session leaves the version as it was', async () => {
    const engine = new ScriptedEngine({ script: [{}, { crashAt: 1 }] });
    const { manager } = await fixture({ engine });
    const a = await ask(manager, { input: say('a') });
    await expect(ask(manager, { input: say('b'), previousResponseId: a.response.id })).rejects.toMatchObject({
      code: 'engine_unavailable',
    });
    const c = await ask(manager, { input: say('c'), previousResponseId: a.response.id });
    expect(c.session?.version).toBe(2);
  });

  test('prewarm commits the input only, and a turn can build on it', async () => {
    const { manager, engine } = await fixture();
    const { blobId } = await manager.files.putPicture('acme', picture);
    const warm = await ask(manager, { input: say('look', { blobId }), prewarm: true });
    expect(warm.response.output).toEqual([]);
    expect(warm.response.result?.usage).toMatchObject({ imagesEncoded: 1, outputTokens: 0 });
    const turn = await ask(manager, { input: say('what is it?'), previousResponseId: warm.response.id });
    expect(turn.response.result?.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });
    expect((await engine.stats()).encoderCalls).toBe(1);
  });
});
