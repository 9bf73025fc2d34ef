import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ScriptedEngine } from '../src/inference/scriptedEngine.ts';
import { decodeRecord, encodeRecord } from '../src/session/recordCodec.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { recordOfFormat1 } from './helpers/sessionRecordFormat1.ts';
import { ask, FakeClock, inventory, picture, say } from './helpers/sessions.ts';
import { vectorsOf } from './helpers/vectors.ts';

const fixture = fixtures();

describe('the record', () => {
  test('of two pictures and twenty short turns has less than 10 KB', async () => {
    const words =
      'the a red cup stands left of plate and you can see two more behind it which are blue or green'.split(
        ' ',
      );
    const some = (count: number) =>
      Array.from({ length: count }, () => words[(randomBytes(1)[0] as number) % words.length]).join(' ');
    const engine = new ScriptedEngine({
      script: (request) => ({
        imageVectors: vectorsOf(request),
        pieces: some(40)
          .split(' ')
          .map((word) => ` ${word}`),
      }),
    });
    const { manager, store } = await fixture({ engine });
    const echo = {
      model: 'qwen3-vl-8b',
      tools: [],
      tool_choice: 'auto',
      text: { format: { type: 'text' } },
      truncation: 'disabled',
      temperature: 0.7,
      top_p: 0.8,
      parallel_tool_calls: true,
      service_tier: 'default',
      user: null,
    };
    let previous: string | undefined;
    for (let turn = 0; turn < 20; turn++) {
      const pictures =
        turn === 0 || turn === 10
          ? [
              {
                fileId: (
                  await manager.files.put('acme', randomBytes(99), { filename: 'p.jpg', purpose: 'vision' })
                ).file.id,
              },
            ]
          : [];
      const input = say(`${some(10)}?`, ...pictures);
      const { response } = await ask(manager, {
        input,
        echo,
        ...(previous && { previousResponseId: previous }),
      });
      previous = response.id;
    }
    const [session] = await store.records.list('acme', 'session', { limit: 1 });
    const value = session?.value ?? new Uint8Array();
    const record = decodeRecord(session?.key.id ?? '', value);
    const json = JSON.stringify(record).length;
    console.log(`session record: ${value.length} bytes (${json} as JSON) for 2 pictures and 20 turns`);
    expect(value.length).toBeLessThan(10_000);
    const pictures = record.pictures.map((one) => JSON.stringify(one).length);
    console.log(`picture records: ${pictures.join(' and ')} bytes as JSON`);
    expect(pictures).toHaveLength(2);
    for (const one of record.pictures) expect(one.vector).not.toBeNull();
    expect(Math.max(...pictures)).toBeLessThan(4_000);
  });

  test('over its limit is refused before anything is generated; taking something away is not', async () => {
    const { manager, store, engine } = await fixture({ config: { maxRecordBytes: 1_000 } });
    const noise = randomBytes(2_000).toString('base64');
    await expect(ask(manager, { input: say(noise) })).rejects.toMatchObject({ code: 'session_full' });
    expect((await inventory(store)).session).toBeUndefined();
    expect(engine.calls).toEqual([]);
    const { id } = await manager.conversations.create('acme', { items: say('a') });
    await expect(manager.conversations.append('acme', id, say(noise))).rejects.toMatchObject({
      code: 'session_full',
    });
    const [item] = (await manager.conversations.items('acme', id, {})).data;
    await manager.conversations.deleteItem('acme', id, item?.id ?? '');
  });

  test('in a newer format is refused and left alone', async () => {
    const { manager, store } = await fixture();
    const a = await ask(manager, { input: say('a') });
    const [session] = await store.records.list('acme', 'session', { limit: 1 });
    if (!session) throw new Error('no session');
    const newer = Uint8Array.from(session.value);
    newer[0] = 4;
    await store.records.compareAndSet(session.key, session.version, newer, session.expiresAtMs);
    await expect(manager.responses.get('acme', a.response.id)).rejects.toMatchObject({
      code: 'storage_newer_format',
    });
    await expect(ask(manager, { input: say('b'), previousResponseId: a.response.id })).rejects.toMatchObject({
      code: 'storage_newer_format',
    });
    expect((await store.records.get(session.key))?.value).toEqual(newer);
  });

  test('of format 1 is read, goes on, and is written in the new one', async () => {
    const { session, one, two } = recordOfFormat1;
    const { manager, store } = await fixture({ clock: new FakeClock() });
    const { blobId } = await manager.files.putPicture('acme', picture);
    expect(blobId).toBe(recordOfFormat1.blobId);
    const key = { tenant: 'acme', kind: 'session', id: session };
    const value = Buffer.from(recordOfFormat1.value, 'base64');
    expect(value[0]).toBe(1);
    await store.records.compareAndSet(key, 0, value, Date.UTC(2026, 0, 1, 0, 30));
    const added = { comparison: null };
    expect(await manager.responses.get('acme', one.id)).toEqual({
      ...one,
      ...added,
      result: { ...one.result, tier: 'pixels', droppedItems: 0 },
    });
    expect(await manager.responses.get('acme', two.id)).toEqual({
      ...two,
      ...added,
      result: { ...two.result, tier: 'features', droppedItems: 0 },
    });
    const next = await ask(manager, { input: say('And now?'), previousResponseId: two.id });
    expect(next.session?.version).toBe(3);
    expect((await store.records.get(key))?.value[0]).toBe(3);
    expect(await manager.responses.get('acme', one.id)).toMatchObject(one);
  });

  test("that is damaged or another session's is refused", () => {
    const record = decodeRecord.bind(null, 'other');
    expect(() => record(Uint8Array.of(1, 2, 3))).toThrow('damaged');
    expect(() => record(encodeRecord({ session: 'one' } as never))).toThrow('record of session one');
  });
});
