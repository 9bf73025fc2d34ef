import { expect, test } from 'vitest';
import { decodeRecord } from '../src/session/recordCodec.ts';
import { PlannedEngine } from './helpers/sessionEngine.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, FakeClock, inventory, picture, say, stalling } from './helpers/sessions.ts';

const fixture = fixtures();
const refer = (id: string) => ({ type: 'item_reference', id }) as const;

test('an item of another session is copied with its picture, which is then held here', async () => {
  const { manager, store, engine } = await fixture();
  const { file } = await manager.files.put('acme', picture, { filename: 'a', purpose: 'vision' });
  const { blobId } = file;
  const first = await ask(manager, { input: say('look', { fileId: file.id, detail: 'low' }) });
  const [seen] = (await manager.responses.inputItems('acme', first.response.id, {})).data;
  const answer = first.response.output[0]?.id ?? '';
  const input = [refer(seen?.id ?? ''), refer(answer), ...say('and?')];
  const second = await ask(manager, { input });
  const messages = engine.calls.map((call) => ('request' in call ? call.request.messages : []));
  expect(messages[1]?.slice(0, 2).map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(messages[1]?.[1]).toMatchObject({ content: [{ text: first.text }], tokens: { length: 9 } });
  expect(second.response.result?.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });
  const copies = (await manager.responses.inputItems('acme', second.response.id, { order: 'asc' })).data;
  expect(copies[0]).toEqual({ ...seen, id: expect.stringMatching(/^msg_/) });
  expect(copies[0]?.id).not.toBe(seen?.id);

  await manager.files.delete('acme', file.id);
  await manager.responses.delete('acme', first.response.id);
  expect((await inventory(store)).upload).toEqual([blobId]);
  await ask(manager, { input: [refer(copies[0]?.id ?? '')], previousResponseId: second.response.id });
  const { id } = await manager.conversations.create('acme', { items: [refer(copies[0]?.id ?? '')] });
  const [session] = await store.records.list('acme', 'session', { limit: 1, afterId: id.slice(5, -1) });
  expect(session).toBeDefined();
  for (const { id: found } of (await manager.sessions.list('acme')).data) {
    await manager.sessions.delete('acme', found);
  }
  expect(await inventory(store)).toEqual({});
});

test('an answer with calls is copied without the tokens of all of it', async () => {
  const call = { name: 'f', arguments: '{}' };
  const engine = new PlannedEngine((_, index) => ({ text: 'hm', toolCalls: index === 0 ? [call] : [] }));
  const { manager } = await fixture({ engine });
  const first = await ask(manager, { input: say('a') });
  await ask(manager, { input: [refer(first.response.output[0]?.id ?? ''), ...say('b')] });
  expect(engine.requests[1]?.messages[0]).toEqual({
    role: 'assistant',
    content: [{ type: 'text', text: 'hm' }],
  });
});

test('what never was, was erased or is somebody else’s gives the same error, what has expired its owner another one', async () => {
  const clock = new FakeClock();
  const { manager } = await fixture({ clock });
  const { id } = await manager.conversations.create('acme', { items: say('zero') });
  const [item] = (await manager.conversations.items('acme', id, {})).data;
  const known = item?.id ?? '';
  const failing = async (itemId: string, tenant = 'acme') => {
    const asked = ask(manager, { input: [refer(itemId), ...say('x')] }, { tenant });
    await expect(asked, itemId).rejects.toMatchObject({
      code: 'not_found',
      details: { object: 'item', id: itemId },
    });
  };
  for (const wrong of [
    '',
    'msg_1',
    known.replace('msg_', 'fc_'),
    `${known}0`,
    known.replace('msg_', 'item_'),
  ]) {
    await failing(wrong);
  }
  await failing(known, 'other');
  await manager.conversations.deleteItem('acme', id, known);
  await failing(known);
  const [again] = await manager.conversations.append('acme', id, say('one'));
  clock.pass(31 * 60_000);
  for (const isSwept of [false, true]) {
    if (isSwept) await manager.sweep();
    await expect(ask(manager, { input: [refer(again?.id ?? '')] })).rejects.toMatchObject({
      code: 'session_expired',
      details: { id: again?.id, param: 'input[0].id' },
    });
    await failing(again?.id ?? '', 'other');
  }
});

test('the input of a turn that runs is not there yet', async () => {
  const { manager, store } = await fixture({ engine: stalling(1) });
  const events = manager.respond('acme', { input: say('secret') });
  await events.next();
  const [session] = await store.records.list('acme', 'session', { limit: 1 });
  const record = decodeRecord(session?.key.id ?? '', session?.value ?? new Uint8Array());
  const id = `msg_${record.session}${record.items[0]?.place}`;
  await expect(ask(manager, { input: [refer(id)] })).rejects.toMatchObject({ code: 'not_found' });
  await events.return?.();
  await expect.poll(async () => (await manager.stats()).runningTurns).toBe(0);
});
