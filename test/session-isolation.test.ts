import { expect, test } from 'vitest';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, picture, say } from './helpers/sessions.ts';

const fixture = fixtures();

test('a foreign tenant gets the same error for everything as for what never was', async () => {
  const { manager } = await fixture();
  const { file } = await manager.files.put('acme', picture, { filename: 'a', purpose: 'vision' });
  const conversation = await manager.conversations.create('acme', { items: say('hello') });
  const [item] = (await manager.conversations.items('acme', conversation.id, {})).data;
  const { response } = await ask(manager, { input: say('a', { fileId: file.id }) });
  const background = await ask(manager, { input: say('a'), background: true });
  const own = await manager.conversations.create('other', {});
  const flip = (id: string) => id.replace(/(?<=[_-])./, (first) => (first === 'a' ? 'b' : 'a'));
  const { responses, conversations, files } = manager;
  const calls: Record<string, [id: string, call: (id: string) => Promise<unknown>]> = {
    'get response': [response.id, (id) => responses.get('other', id)],
    'input items': [response.id, (id) => responses.inputItems('other', id, {})],
    'delete response': [response.id, (id) => responses.delete('other', id)],
    cancel: [background.response.id, (id) => responses.cancel('other', id)],
    events: [background.response.id, (id) => responses.events('other', id)],
    continue: [
      response.id,
      (id) => ask(manager, { input: say('b'), previousResponseId: id }, { tenant: 'other' }),
    ],
    'continue unstored': [
      response.id,
      (id) => ask(manager, { input: say('b'), previousResponseId: id, store: false }, { tenant: 'other' }),
    ],
    prewarm: [
      response.id,
      (id) => ask(manager, { input: say('b'), previousResponseId: id, prewarm: true }, { tenant: 'other' }),
    ],
    'turn in conversation': [
      conversation.id,
      (id) => ask(manager, { input: say('b'), conversationId: id }, { tenant: 'other' }),
    ],
    'item reference': [
      item?.id ?? '',
      (id) => ask(manager, { input: [{ type: 'item_reference', id }] }, { tenant: 'other' }),
    ],
    'count input': [
      response.id,
      (id) => manager.countInput('other', { input: say('b'), previousResponseId: id }),
    ],
    'get session': [response.id, (id) => manager.sessions.get('other', id)],
    'delete session': [conversation.id, (id) => manager.sessions.delete('other', id)],
    'get conversation': [conversation.id, (id) => conversations.get('other', id)],
    'update conversation': [conversation.id, (id) => conversations.update('other', id, {})],
    'delete conversation': [conversation.id, (id) => conversations.delete('other', id)],
    'list items': [conversation.id, (id) => conversations.items('other', id, {})],
    append: [conversation.id, (id) => conversations.append('other', id, say('x'))],
    'get item of own': [item?.id ?? '', (id) => conversations.item('other', own.id, id)],
    'delete item of own': [item?.id ?? '', (id) => conversations.deleteItem('other', own.id, id)],
    'get file': [file.id, (id) => files.get('other', id)],
    'file content': [file.id, (id) => files.content('other', id)],
    'delete file': [file.id, (id) => files.delete('other', id)],
    'picture by file': [
      file.id,
      (id) => ask(manager, { input: say('b', { fileId: id }) }, { tenant: 'other' }),
    ],
    'picture by blob': [
      file.blobId,
      (id) => ask(manager, { input: say('b', { blobId: id }) }, { tenant: 'other' }),
    ],
  };
  for (const [name, [id, call]] of Object.entries(calls)) {
    const unknownId = id === file.blobId ? id.replace(/./g, '0') : flip(id);
    const foreign = await failureOf(call(id));
    const unknown = await failureOf(call(unknownId));
    expect(foreign, name).toMatchObject({ code: 'not_found' });
    expect(foreign.message.replaceAll(id, 'X'), name).toBe(unknown.message.replaceAll(unknownId, 'X'));
    const malformed = await failureOf(call(`${id}!`));
    expect(malformed, name).toMatchObject({ code: 'not_found' });
  }
  expect((await files.list('other')).data).toEqual([]);
  await responses.get('acme', response.id);
  await conversations.get('acme', conversation.id);
  expect((await files.get('acme', file.id)).id).toBe(file.id);
});

async function failureOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call did not fail');
}
