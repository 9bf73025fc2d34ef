import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, FakeClock, inventory, picture, say, stalling } from './helpers/sessions.ts';

const fixture = fixtures();
const minute = 60_000;

describe('the life of a session', () => {
  test('slides with every turn, ends for its owner as expired and for others as unknown', async () => {
    const clock = new FakeClock();
    const { manager, store, engine } = await fixture({ clock });
    const { file } = await manager.files.put('acme', picture, {
      filename: 'a',
      purpose: 'vision',
      ttlMs: minute,
    });
    const a = await ask(manager, { input: say('a', { fileId: file.id }) });
    clock.pass(29 * minute);
    await manager.sweep();
    const b = await ask(manager, { input: say('b'), previousResponseId: a.response.id });
    clock.pass(29 * minute);
    await manager.sweep();
    await manager.responses.get('acme', b.response.id);
    clock.pass(minute);
    const expired = { code: 'session_expired' };
    const unknown = { code: 'not_found' };
    for (const swept of [false, true]) {
      if (swept) await manager.sweep();
      await expect(manager.responses.get('acme', b.response.id)).rejects.toMatchObject(expired);
      await expect(manager.responses.get('other', b.response.id)).rejects.toMatchObject(unknown);
      await expect(
        ask(manager, { input: say('c'), previousResponseId: b.response.id }),
      ).rejects.toMatchObject(expired);
    }
    expect(engine.calls.filter(({ type }) => type === 'forget')).toEqual([
      { type: 'forget', tenant: 'acme', session: expect.stringMatching(/^\w{22}$/) },
    ]);
    expect(Object.keys(await inventory(store))).toEqual(['tombstone']);
    clock.pass(24 * 60 * minute);
    await manager.sweep();
    await expect(manager.responses.get('acme', b.response.id)).rejects.toMatchObject(unknown);
    expect(await inventory(store)).toEqual({});
  });

  test('ends for the engine, too, when its record is damaged', async () => {
    const clock = new FakeClock();
    const { manager, store, engine, problems } = await fixture({ clock });
    await ask(manager, { input: say('a') });
    const [stored] = await store.records.list('acme', 'session', { limit: 1 });
    if (!stored) throw new Error('it is stored');
    const { key, version, expiresAtMs } = stored;
    await store.records.compareAndSet(key, version, Uint8Array.of(1, 2, 3), expiresAtMs);
    clock.pass(31 * minute);
    await manager.sweep();
    expect(problems.splice(0)).toHaveLength(1);
    expect(engine.calls).toContainEqual({ type: 'forget', tenant: 'acme', session: key.id });
  });

  test('can be shortened by a request, set per tenant, and not lengthened', async () => {
    const clock = new FakeClock();
    const { manager } = await fixture({
      clock,
      config: { idleTtlMsOf: (tenant) => (tenant === 'brief' ? minute : undefined) },
    });
    await expect(ask(manager, { input: say('a'), idleTtlMs: 31 * minute })).rejects.toMatchObject({
      code: 'invalid_parameter',
    });
    const a = await ask(manager, { input: say('a'), idleTtlMs: 10 * minute });
    const brief = await ask(manager, { input: say('a') }, { tenant: 'brief' });
    clock.pass(minute);
    await expect(manager.responses.get('brief', brief.response.id)).rejects.toMatchObject({
      code: 'session_expired',
    });
    clock.pass(8 * minute);
    await manager.responses.get('acme', a.response.id);
    clock.pass(minute);
    await expect(manager.responses.get('acme', a.response.id)).rejects.toMatchObject({
      code: 'session_expired',
    });
  });

  test('stands still while a turn runs', async () => {
    const clock = new FakeClock();
    const { manager } = await fixture({ clock, engine: stalling(1), config: { idleTtlMs: 5 * minute } });
    const events = manager.respond('acme', { input: say('a'), background: true });
    const { value: started } = await events.next();
    const id = started?.type === 'started' ? started.response.id : '';
    clock.pass(9 * minute);
    await manager.sweep();
    expect((await manager.responses.get('acme', id)).status).toBe('in_progress');
    await manager.responses.cancel('acme', id);
    clock.pass(4 * minute);
    await manager.sweep();
    expect((await manager.responses.get('acme', id)).status).toBe('cancelled');
  });

  test('many that end at once leave other work its turn, and are never taken for unknown', async () => {
    const clock = new FakeClock();
    const { manager, store } = await fixture({ clock });
    const ids: string[] = [];
    for (let n = 0; n < 60; n++) {
      // Some show a picture of their own, some one that others show too.
      const { blobId } = await manager.files.putPicture('acme', Buffer.from(`picture ${n % 45}`));
      ids.push((await manager.conversations.create('acme', { items: say('a', { blobId }) })).id);
    }
    clock.pass(30 * minute);
    let turns = 0;
    let isSwept = false;
    const sweeping = manager.sweep().finally(() => {
      isSwept = true;
    });
    for (; !isSwept; turns++) {
      await nextTurn();
      const id = ids[turns % ids.length] ?? '';
      await expect(manager.conversations.get('acme', id)).rejects.toMatchObject({ code: 'session_expired' });
    }
    await sweeping;
    // Twenty at a time end together, in three steps.
    expect(turns).toBeGreaterThanOrEqual((ids.length / 20) * 3);
    expect(Object.keys(await inventory(store))).toEqual(['tombstone']);
  });

  test.each([2 * 60 * minute, -2 * 60 * minute, 365 * 24 * 60 * minute])(
    'a jump of the wall clock by %i ms changes nothing',
    async (jump) => {
      const clock = new FakeClock();
      const { manager } = await fixture({ clock });
      const a = await ask(manager, { input: say('a') });
      clock.pass(10 * minute);
      clock.jump(jump);
      await manager.sweep();
      clock.pass(19 * minute);
      await manager.sweep();
      await manager.responses.get('acme', a.response.id);
      clock.pass(minute);
      await manager.sweep();
      await expect(manager.responses.get('acme', a.response.id)).rejects.toMatchObject({
        code: 'session_expired',
      });
    },
  );
});
