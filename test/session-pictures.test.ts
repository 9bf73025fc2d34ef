import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SessionManager } from '../src/session/sessionManager.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, FakeClock, inventory, picture, say, uploadKey } from './helpers/sessions.ts';

const fixture = fixtures();
const minute = 60_000;

/** The only one. */
function blobFileIn(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const [path, ...others] = names
    .filter((name) => name.includes('upload'))
    .map((name) => join(folder, name))
    .filter((name) => statSync(name).isFile());
  expect(others).toEqual([]);
  return path as string;
}

describe('pictures', () => {
  test('a file used in five turns is encoded once, taken in once and stored once', async () => {
    const { manager, engine, intake, store } = await fixture();
    const { file, known } = await manager.files.put('acme', picture, {
      filename: 'a.picture',
      purpose: 'vision',
    });
    expect(known).toBe(false);
    const again = await manager.files.put('acme', picture, { filename: 'b.picture', purpose: 'user_data' });
    expect(again.known).toBe(true);
    let previous = await ask(manager, { input: say('0', { fileId: file.id }) });
    const encoded = [previous.response.result?.usage.imagesEncoded];
    for (const n of [1, 2, 3, 4]) {
      const input = say(`${n}`, { fileId: n % 2 ? file.id : again.file.id });
      previous = await ask(manager, { input, previousResponseId: previous.response.id });
      encoded.push(previous.response.result?.usage.imagesEncoded);
    }
    expect(encoded).toEqual([1, 0, 0, 0, 0]);
    expect((await engine.stats()).encoderCalls).toBe(1);
    expect(intake.taken).toBe(1);
    expect((await inventory(store)).upload).toHaveLength(1);
    const { upload = 0 } = (await manager.stats()).blobBytes;
    // Once, with the header of its file.
    expect(upload).toBeGreaterThanOrEqual(picture.length);
    expect(upload).toBeLessThan(2 * picture.length + 200);
    expect(Buffer.from(await manager.files.content('acme', file.id))).toEqual(picture);
    expect((await manager.files.list('acme', { order: 'asc' })).data.map(({ filename }) => filename)).toEqual(
      ['a.picture', 'b.picture'],
    );
  });

  test('a new process reads the picture from the store when its engine asks', async () => {
    const { manager, store } = await fixture();
    const { blobId } = await manager.files.putPicture('acme', picture);
    const first = await ask(manager, { input: say('a', { blobId }) });
    const { intake, engine, ...rest } = await fixture();
    const other = new SessionManager({
      store,
      engine,
      intake,
      uploadKey,
      onProblem: (error) => rest.problems.push(error),
    });
    const turn = await ask(other, { input: say('b'), previousResponseId: first.response.id });
    expect(turn.response.result?.usage.imagesEncoded).toBe(1);
    expect(intake.taken).toBe(1);
  });

  test('a picture that the disk has lost or damaged is whole again once it is sent again', async () => {
    const { manager, store, folder } = await fixture();
    const about = { filename: 'a.picture', purpose: 'vision' };
    const { file } = await manager.files.put('acme', picture, about);
    const blobFile = blobFileIn(folder);
    for (const harm of [() => rmSync(blobFile), () => truncateSync(blobFile, 100)]) {
      harm();
      const path = `File ${file.id}`;
      const damaged = { code: 'storage_corrupt', details: { path } };
      await expect(manager.files.content('acme', file.id)).rejects.toMatchObject(damaged);
      const again = await manager.files.put('acme', picture, about);
      expect(again.known).toBe(false);
      for (const { id } of [file, again.file]) {
        expect(Buffer.from(await manager.files.content('acme', id))).toEqual(picture);
      }
    }
    await manager.files.delete('acme', file.id);
    expect((await inventory(store)).upload).toHaveLength(1);
  });

  test('of a picture that the disk has lost a turn says so, and that it was never there of one that was not', async () => {
    const { manager, store, folder, ...rest } = await fixture();
    const { blobId } = await manager.files.putPicture('acme', picture);
    const { response } = await ask(manager, { input: say('a', { blobId }) });
    rmSync(blobFileIn(folder));
    const { intake, engine } = await fixture();
    const onProblem = (error: unknown) => rest.problems.push(error);
    const other = new SessionManager({ store, engine, intake, uploadKey, onProblem });
    const lost = { code: 'storage_corrupt', details: { path: `Picture ${blobId}` } };
    const turns = [{ input: say('b'), previousResponseId: response.id }, { input: say('c', { blobId }) }];
    for (const turn of turns) await expect(ask(other, turn)).rejects.toMatchObject(lost);
    const never = { blobId: '0'.repeat(64) };
    await expect(ask(other, { input: say('d', never) })).rejects.toMatchObject({ code: 'not_found' });
    await other.files.putPicture('acme', picture);
    for (const turn of turns) expect((await ask(other, turn)).response.status).toBe('completed');
  });

  test('a bad picture is refused at upload and leaves nothing', async () => {
    const { manager, store } = await fixture();
    const bad = Buffer.from('bad');
    const about = { filename: 'x.picture', purpose: 'vision' };
    await expect(manager.files.put('acme', bad, about)).rejects.toMatchObject({
      code: 'image_format_unknown',
    });
    expect(await inventory(store)).toEqual({});
  });

  test('a picture nobody named goes after ten minutes, one whose session died in between with the audit', async () => {
    const clock = new FakeClock();
    const { manager, store } = await fixture({ clock });
    await manager.files.putPicture('acme', picture);
    clock.pass(9 * minute);
    await manager.sweep();
    expect((await inventory(store)).upload).toHaveLength(1);
    clock.pass(minute);
    await manager.sweep();
    expect(await inventory(store)).toEqual({});

    const { blobId } = await manager.files.putPicture('acme', picture);
    const { response } = await ask(manager, { input: say('a', { blobId }) });
    const [session] = (await inventory(store)).session ?? [];
    expect(response.id).toContain(session);
    await store.records.delete({ tenant: 'acme', kind: 'session', id: session ?? '' });
    clock.pass(60 * minute);
    await manager.sweep();
    expect((await inventory(store)).upload).toBeUndefined();
  });
});
