import { expect, test } from 'vitest';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, FakeClock, inventory, picture, say, stalling } from './helpers/sessions.ts';

const fixture = fixtures();
const minute = 60_000;

test('lists the sessions of one tenant, page by page, without those that have expired', async () => {
  const clock = new FakeClock();
  const { manager } = await fixture({ clock });
  await ask(manager, { input: say('old'), idleTtlMs: minute });
  const { blobId } = await manager.files.putPicture('acme', picture);
  const a = await ask(manager, { input: say('a', { blobId }) });
  const b = await ask(manager, { input: say('b'), previousResponseId: a.response.id });
  const conversation = await manager.conversations.create('acme', { items: say('hello') });
  await ask(manager, { input: say('a') }, { tenant: 'other' });
  clock.pass(minute);
  const { data, hasMore } = await manager.sessions.list('acme');
  expect(hasMore).toBe(false);
  const expiresAtMs = clock.wallMs() + 29 * minute;
  const createdAtMs = clock.wallMs() - minute;
  expect(new Set(data)).toEqual(
    new Set([
      {
        id: a.response.id.slice(5, -1),
        conversationId: null,
        lastResponseId: b.response.id,
        turns: 2,
        items: 4,
        pictures: 1,
        recordBytes: expect.any(Number),
        createdAtMs,
        expiresAtMs,
        version: 2,
      },
      {
        id: conversation.id.slice(5),
        conversationId: conversation.id,
        lastResponseId: null,
        turns: 0,
        items: 1,
        pictures: 0,
        recordBytes: expect.any(Number),
        createdAtMs,
        expiresAtMs,
        version: 0,
      },
    ]),
  );
  expect(data[0]?.recordBytes).toBeGreaterThan(100);
  const first = await manager.sessions.list('acme', { limit: 1 });
  expect(first).toEqual({ data: data.slice(0, 1), hasMore: true });
  const after = first.data[0]?.id ?? '';
  expect(await manager.sessions.list('acme', { limit: 1, after })).toEqual({
    data: data.slice(1),
    hasMore: false,
  });
  await expect(manager.sessions.list('acme', { limit: 101 })).rejects.toMatchObject({
    code: 'invalid_parameter',
  });
  await expect(manager.sessions.list('acme', { after: 'conv_none' })).rejects.toThrow(
    'after: must be the id of a session',
  );
  // The last one of a page may end before the next is asked for.
  await manager.sessions.delete('acme', after);
  expect(await manager.sessions.list('acme', { after })).toEqual({ data: data.slice(1), hasMore: false });
});

test('finds and deletes a session by any id of it, and nothing for others', async () => {
  const { manager, store, engine } = await fixture();
  const gone = () =>
    engine.calls.flatMap((call) => (call.type === 'forget' ? [`${call.tenant} ${call.session}`] : []));
  const { blobId } = await manager.files.putPicture('acme', picture);
  const tree = await ask(manager, { input: say('a', { blobId }), idempotencyKey: 'k' });
  const { id } = await manager.conversations.create('acme', {});
  const inConversation = await ask(manager, { input: say('b'), conversationId: id });
  const session = id.slice(5);
  for (const name of [session, id, inConversation.response.id]) {
    expect(await manager.sessions.get('acme', name)).toMatchObject({ id: session, turns: 1 });
  }
  const treeSession = (await manager.sessions.get('acme', tree.response.id)).id;
  const unknown = [`conv_${treeSession}`, `resp_${treeSession}9`, 'x', 'A'.repeat(22)];
  for (const name of unknown) {
    await expect(manager.sessions.get('acme', name)).rejects.toMatchObject({ code: 'not_found' });
    await expect(manager.sessions.delete('acme', name)).rejects.toMatchObject({ code: 'not_found' });
  }
  for (const name of [session, id, inConversation.response.id]) {
    const details = { object: 'session', id: name };
    await expect(manager.sessions.get('other', name)).rejects.toMatchObject({ code: 'not_found', details });
    await expect(manager.sessions.delete('other', name)).rejects.toMatchObject({
      code: 'not_found',
      details,
    });
  }
  expect(await manager.sessions.delete('acme', tree.response.id)).toEqual({
    items: 2,
    responses: 1,
    pictures: 1,
    bytesFreed: picture.length,
  });
  await manager.sessions.delete('acme', id);
  expect(gone()).toEqual([`acme ${treeSession}`, `acme ${session}`]);
  expect(await inventory(store)).toEqual({});
  expect(await manager.stats()).toMatchObject({ sessions: 0, sessionsDeleted: 2, sessionsExpired: 0 });
});

test('deleting stops the turn that runs and those that wait for it', async () => {
  const { manager, store, engine } = await fixture({ engine: stalling(1) });
  const { id } = await manager.conversations.create('acme', {});
  const turns = [0, 1, 2].map((n) => ask(manager, { input: say(`${n}`), conversationId: id }));
  const ends = Promise.allSettled(turns);
  await expect.poll(async () => (await engine.stats()).running).toBe(1);
  await manager.sessions.delete('acme', id);
  for (const end of await ends)
    expect(end).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
  expect(await inventory(store)).toEqual({});
});
