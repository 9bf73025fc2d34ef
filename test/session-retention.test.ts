import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { failure } from '../src/core/errors.ts';
import { Engine } from '../src/engine/engine.ts';
import { pictureIntake as intake } from '../src/server/pictureIntake.ts';
import type { SessionConfig } from '../src/session/config.ts';
import { parseResponseId } from '../src/session/ids.ts';
import { decodeRecord } from '../src/session/recordCodec.ts';
import { ask, FakeClock, type Fixture, openSessions, say } from './helpers/sessions.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const bytesOf = (name: string): Buffer => readFileSync(new URL(`../examples/${name}.png`, import.meta.url));
const rabbit = bytesOf('rabbit');
const unheldMs = 60_000;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'retention-test-'));
  folders.push(folder);
  return folder;
};

interface Run extends Fixture<Engine> {
  readonly clock: FakeClock;
  /** Bytes of uploads once everything that may go has gone. */
  uploadsLater(): Promise<number>;
  end(): Promise<void>;
}

async function open(
  config: Partial<SessionConfig>,
  { state, disk = true }: { state: string; disk?: boolean },
): Promise<Run> {
  const engine = await Engine.open(
    {
      gpu: 'off',
      kvCells: 1024,
      visionWeightType: 'f16',
      stateFolder: state,
      stateDiskBytes: disk ? 2 ** 28 : 0,
    },
    silentLogger,
  );
  const clock = new FakeClock();
  const options = { engine, intake, clock, config: { unheldMs, idleTtlMs: 24 * 60 * unheldMs, ...config } };
  const fixture = await openSessions(options);
  return {
    ...fixture,
    clock,
    uploadsLater: async () => {
      // Pixels are let go of in the background: looked at for a while, whether they are to go or to stay.
      for (let look = 0; look < 10; look++) {
        await sleep(30);
        clock.pass(unheldMs + 1);
        await fixture.manager.sweep();
      }
      return (await fixture.store.blobs.usage()).upload ?? 0;
    },
    end: async () => {
      await fixture.close();
      await engine.dispose();
    },
  };
}

const upload = async ({ manager }: Run, bytes = rabbit): Promise<string> =>
  (await manager.files.putPicture('acme', bytes)).blobId;
const brand = async (run: Run) =>
  ask(run.manager, { input: say('What is the brand?', { blobId: await upload(run) }) });
const price = (run: Run, previousResponseId: string) =>
  ask(run.manager, { input: say('多少钱？'), previousResponseId });
/** Takes away what the engine has in memory, and with `all` what it has on disk. */
const lose = async ({ engine }: Run): Promise<void> => {
  for (const { tenant, session } of await engine.heldSessions()) await engine.forget(tenant, session);
  await engine.forget('acme');
};

test('pixels: what was uploaded stays as long as its session', async () => {
  const run = await open({}, { state: newFolder() });
  const first = await brand(run);
  expect(await run.uploadsLater()).toBeGreaterThanOrEqual(rabbit.length);
  await lose(run);
  const second = await price(run, first.response.id);
  expect([second.text, second.response.result?.usage.imagesEncoded]).toEqual(['$49。', 1]);
  expect(run.problems).toEqual([]);
  await run.end();
});

test('features: the pixels go when the features are on disk, and later turns do without', async () => {
  const run = await open({ retention: 'features' }, { state: newFolder() });
  const first = await brand(run);
  expect(first.text).toBe('Zentro.');
  expect(await run.uploadsLater()).toBe(0);
  // Everything but the features: another beginning finds no attention state.
  const other = await ask(run.manager, {
    input: say('多少钱？'),
    previousResponseId: first.response.id,
    instructions: 'Be short.',
  });
  expect(other.response.result?.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });
  const second = await price(run, first.response.id);
  expect([second.text, second.response.result?.usage.imagesEncoded]).toEqual(['$49。', 0]);
  expect((await run.engine.stats()).encoderCalls).toBe(1);
  expect(run.problems).toEqual([]);
  await run.end();
});

test('features: an item that is copied to another session brings its picture without pixels', async () => {
  const run = await open({ retention: 'features' }, { state: newFolder() });
  const first = await brand(run);
  expect(await run.uploadsLater()).toBe(0);
  const { data: items } = await run.manager.responses.inputItems('acme', first.response.id, {});
  const copied = await ask(run.manager, {
    input: [{ type: 'item_reference', id: items[0]?.id as string }, ...say('多少钱？')],
  });
  expect([copied.text, copied.response.result?.usage.imagesEncoded]).toEqual(['$49。', 0]);
  await run.end();
});

test('features: when they are lost the error says so, and the picture can be sent again', async () => {
  const run = await open({ retention: 'features' }, { state: newFolder() });
  const first = await brand(run);
  expect(await run.uploadsLater()).toBe(0);
  await lose(run);
  await expect(price(run, first.response.id)).rejects.toMatchObject(
    failure('picture_not_kept', { number: 1 }),
  );

  const again = await ask(run.manager, {
    input: say('多少钱？', { blobId: await upload(run) }),
    previousResponseId: first.response.id,
  });
  expect(again.response.result?.usage.imagesEncoded).toBe(1);
  expect(await run.uploadsLater()).toBe(0);
  expect((await price(run, first.response.id)).text).toBe('$49。');
  expect(run.problems).toEqual([]);
  await run.end();
});

test('features: without a disk for them the pixels stay', async () => {
  const run = await open({ retention: 'features' }, { state: newFolder(), disk: false });
  await brand(run);
  expect(await run.uploadsLater()).toBeGreaterThanOrEqual(rabbit.length);
  await run.end();
});

test('features: a file stays as long as its client wants, and its picture longer', async () => {
  const run = await open({ retention: 'features', fileTtlMs: null }, { state: newFolder() });
  const { file } = await run.manager.files.put('acme', rabbit, { filename: 'rabbit.png', purpose: 'vision' });
  const first = await ask(run.manager, { input: say('What is the brand?', { fileId: file.id }) });
  expect(await run.uploadsLater()).toBeGreaterThanOrEqual(rabbit.length);
  await run.manager.files.delete('acme', file.id);
  expect(await run.uploadsLater()).toBe(0);
  expect((await price(run, first.response.id)).text).toBe('$49。');
  await run.end();
});

test('none: neither pixels nor vectors nor state outlive the turn on disk', async () => {
  const state = newFolder();
  const run = await open({ retention: 'none' }, { state, disk: false });
  const first = await brand(run);
  expect(await run.uploadsLater()).toBe(0);
  const { session = '' } = parseResponseId(first.response.id) ?? {};
  const stored = await run.store.records.get({ tenant: 'acme', kind: 'session', id: session });
  const { pictures } = decodeRecord(session, stored?.value as Uint8Array);
  expect(pictures).toMatchObject([{ number: 1, vector: null }]);
  expect(readdirSync(state)).toEqual([]);
  expect((await price(run, first.response.id)).text).toBe('$49。');
  await lose(run);
  await expect(price(run, first.response.id)).rejects.toMatchObject({ code: 'picture_not_kept' });
  expect(run.problems).toEqual([]);
  await run.end();
});

test('state that an earlier engine left is wiped by one without a disk', async () => {
  const state = newFolder();
  const before = await open({}, { state });
  await brand(before);
  await before.end();
  expect(readdirSync(join(state, 'objects')).length).toBeGreaterThan(0);
  const after = await open({}, { state, disk: false });
  expect(['objects', 'keys.db', 'master.key'].map((name) => existsSync(join(state, name)))).toEqual([
    false,
    false,
    false,
  ]);
  await after.end();
});
