import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { ScriptedEngine } from '../src/inference/scriptedEngine.ts';
import { decodeRecord } from '../src/session/recordCodec.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, say } from './helpers/sessions.ts';
import { directionOf, vectorsOf } from './helpers/vectors.ts';

const fixture = fixtures();

/** Pictures whose digests are in one group look nearly alike. */
async function sessionWith(nearTo: (digest: string) => string, spaces = () => 'test') {
  const engine = new ScriptedEngine({
    script: (request) => ({
      pieces: ['ok'],
      imageVectors: vectorsOf(
        request,
        (digest) => {
          const own = directionOf(digest);
          return directionOf(nearTo(digest)).map((value, index) => value + 0.05 * (own[index] as number));
        },
        spaces(),
      ),
    }),
  });
  const { manager, store } = await fixture({ engine });
  const put = async (bytes: string) => (await manager.files.putPicture('acme', Buffer.from(bytes))).blobId;
  return { manager, store, put };
}

test('pictures tell which other one of the session they are most like', async () => {
  const digests: string[] = [];
  const { manager, put } = await sessionWith((digest) => {
    if (!digests.includes(digest)) digests.push(digest);
    return digests.indexOf(digest) < 2 ? 'one' : digest;
  });
  const [a, b, c] = [await put('a'), await put('b'), await put('c')];
  const first = await ask(manager, { input: say('look', { blobId: a }) });
  expect((await manager.sessions.get('acme', first.response.id)).pictureList).toMatchObject([
    { number: 1, nearest: null },
  ]);
  const second = await ask(manager, {
    input: say('and these', { blobId: b }, { blobId: c }, { blobId: a, detail: 'low' }),
    previousResponseId: first.response.id,
  });
  const { pictureList, pictures } = await manager.sessions.get('acme', second.response.id);
  expect(pictures).toBe(4);
  expect(pictureList).toMatchObject([
    { number: 1, width: 64, height: 64, nearest: { number: 4, cosine: 1, likeness: 'same' } },
    { number: 2, nearest: { likeness: 'near_duplicate' } },
    { number: 3, nearest: { likeness: 'different' } },
    { number: 4, nearest: { number: 1, likeness: 'same' } },
  ]);
  expect(JSON.stringify(pictureList)).not.toContain('vector');
});

test('vectors of two models are not compared', async () => {
  let turn = 0;
  const { manager, put } = await sessionWith(
    () => 'one',
    () => `model${turn++}`,
  );
  const first = await ask(manager, { input: say('look', { blobId: await put('a') }) });
  const conversation = { previousResponseId: first.response.id };
  const second = await ask(manager, { input: say('now', { blobId: await put('b') }), ...conversation });
  // The second turn shows both pictures, so both have the second model's vector now.
  const both = await manager.sessions.get('acme', second.response.id);
  expect(both.pictureList[0]?.nearest?.likeness).toBe('near_duplicate');
  const branch = await ask(manager, { input: say('other', { blobId: await put('c') }), ...conversation });
  // The third turn shows pictures 1 and 3: picture 2 is of another model than both.
  const { pictureList } = await manager.sessions.get('acme', branch.response.id);
  expect(pictureList.map(({ nearest }) => nearest?.number ?? null)).toEqual([3, null, 1]);
});

test('the session tells which picture the last question means', async () => {
  const { manager, put } = await sessionWith((digest) => digest);
  const first = await ask(manager, { input: say('look', { blobId: await put('a') }) });
  const second = await ask(manager, {
    input: say('and this', { blobId: await put('b') }),
    previousResponseId: first.response.id,
  });
  const meant = async (text: string) => {
    const { response } = await ask(manager, {
      input: say(text),
      previousResponseId: second.response.id,
    });
    return (await manager.sessions.get('acme', response.id)).pictureInQuestion;
  };
  expect(await meant('What does it cost?')).toBe(2);
  expect(await meant('第一个呢？')).toBe(1);
  expect(await meant('Are they alike?')).toBe('all');
});

test('a record of format 2 is read with pictures that have no vectors, and gets them', async () => {
  const { manager, store, put } = await sessionWith((digest) => digest);
  const first = await ask(manager, { input: say('look', { blobId: await put('a') }) });
  const [stored] = await store.records.list('acme', 'session', { limit: 1 });
  if (!stored) throw new Error('no session');
  const record = decodeRecord(stored.key.id, stored.value);
  expect(record.pictures[0]?.vector).toMatch(/^test:[\w+/]{1366}==$/);
  const pictures = record.pictures.map(({ vector: _, ...picture }) => picture);
  const json = deflateRawSync(JSON.stringify({ ...record, pictures }));
  const old = Buffer.concat([Uint8Array.of(2), json]);
  await store.records.compareAndSet(stored.key, stored.version, old, stored.expiresAtMs);
  expect(decodeRecord(stored.key.id, old).pictures[0]?.vector).toBeNull();
  await ask(manager, { input: say('again'), previousResponseId: first.response.id });
  const after = (await store.records.get(stored.key))?.value ?? new Uint8Array();
  expect([after[0], decodeRecord(stored.key.id, after).pictures]).toEqual([3, record.pictures]);
});
