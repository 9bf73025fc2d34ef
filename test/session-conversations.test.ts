import { describe, expect, test } from 'vitest';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, inventory, say } from './helpers/sessions.ts';

const fixture = fixtures();

describe('conversations', () => {
  test('grow with turns and appended items; pages, items and deletion', async () => {
    const { manager, store } = await fixture();
    const { id } = await manager.conversations.create('acme', { items: say('zero'), metadata: { k: 'v' } });
    const one = await ask(manager, { input: say('one'), conversationId: id });
    expect(one.response.conversationId).toBe(id);
    const added = await manager.conversations.append('acme', id, say('two'));
    const all = await manager.conversations.items('acme', id, { order: 'asc' });
    const texts = all.data.map(
      (item) => item.type === 'message' && item.content.map((part) => 'text' in part && part.text).join(''),
    );
    expect(texts).toEqual(['zero', 'one', one.text, 'two']);
    expect(new Set(all.data.map((item) => item.id)).size).toBe(4);
    const newest = await manager.conversations.items('acme', id, { limit: 3 });
    expect(newest.hasMore).toBe(true);
    const after = newest.data.at(-1)?.id ?? '';
    expect(await manager.conversations.items('acme', id, { limit: 3, after })).toEqual({
      data: [all.data[0]],
      hasMore: false,
    });
    expect(await manager.conversations.item('acme', id, added[0]?.id ?? '')).toEqual(added[0]);

    await manager.conversations.deleteItem('acme', id, all.data[1]?.id ?? '');
    expect((await manager.conversations.items('acme', id, {})).data).toHaveLength(3);
    expect((await manager.responses.inputItems('acme', one.response.id, {})).data).toEqual([]);
    expect(await manager.conversations.update('acme', id, { k: 'w' })).toMatchObject({
      id,
      metadata: { k: 'w' },
    });
    expect(await manager.conversations.get('acme', id)).toMatchObject({ metadata: { k: 'w' } });

    expect(await manager.conversations.delete('acme', id)).toEqual({
      items: 3,
      responses: 1,
      pictures: 0,
      bytesFreed: 0,
    });
    expect(await inventory(store)).toEqual({});
    await expect(manager.responses.get('acme', one.response.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a retried append adds nothing, the same words said again do', async () => {
    const { manager } = await fixture();
    const { id } = await manager.conversations.create('acme', {});
    const first = await manager.conversations.append('acme', id, say('a'));
    expect(await manager.conversations.append('acme', id, say('a'), { retryCount: 1 })).toEqual(first);
    await manager.conversations.append('acme', id, say('a'));
    expect((await manager.conversations.items('acme', id, {})).data).toHaveLength(2);
  });

  test('a branch from a conversation leaves its list alone', async () => {
    const { manager } = await fixture();
    const { id } = await manager.conversations.create('acme', {});
    const one = await ask(manager, { input: say('one'), conversationId: id });
    const two = await ask(manager, { input: say('two'), previousResponseId: one.response.id });
    expect(two.response.conversationId).toBeNull();
    expect((await manager.conversations.items('acme', id, {})).data).toHaveLength(2);
    const both = { input: say('x'), previousResponseId: one.response.id, conversationId: id };
    await expect(ask(manager, both)).rejects.toMatchObject({ code: 'invalid_parameter' });
  });
});
