import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from './openStore.ts';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'open-store-test-')), 'data', 'store');
});
afterEach(() => rmSync(join(folder, '../..'), { recursive: true }));

const file = (name: string): string => join(folder, name);
const key = (id: string) => ({ tenant: 't', kind: 'session', id });

/** Records that fill a few dozen pages. */
async function fill(): Promise<void> {
  const store = await openStore(folder);
  for (let id = 0; id < 50; id++) {
    await store.records.compareAndSet(key(`${id}`), 0, new Uint8Array(3000).fill(id), null);
  }
  await store.blobs.put({ tenant: 't', area: 'pixels', id: 'a' }, new Uint8Array(1000));
  await store.close();
}

/** Opening must fail with `code` and leave the named file byte for byte as it is. */
async function expectRefused(code: string, name: string): Promise<void> {
  const before = existsSync(file(name)) ? readFileSync(file(name)) : undefined;
  for (let time = 0; time < 2; time++) {
    await expect(openStore(folder)).rejects.toMatchObject({ code, details: { path: file(name) } });
    expect(existsSync(file(name)) ? readFileSync(file(name)) : undefined).toEqual(before);
  }
}

// Windows lets nobody take away a file that is open.
test.skipIf(process.platform === 'win32')(
  'nothing is written to a folder that was moved away or deleted, until it is back',
  async () => {
    const store = await openStore(folder);
    const value = new Uint8Array(10);
    expect(await store.records.compareAndSet(key('a'), 0, value, null)).toBe(1);
    const refused = { code: 'storage_unavailable', details: { path: file('afterimage.db') } };
    const expectNoWrites = async () => {
      await expect(store.records.compareAndSet(key('a'), 1, value, null)).rejects.toMatchObject(refused);
      await expect(store.records.compareAndSet(key('b'), 0, value, null)).rejects.toMatchObject(refused);
      await expect(store.records.touch(key('a'), 1, 5)).rejects.toMatchObject(refused);
    };
    renameSync(folder, `${folder}-moved`);
    await expectNoWrites();
    // Another one in its place, as a restored backup would be.
    const other = await openStore(folder);
    await expectNoWrites();
    await other.close();
    rmSync(folder, { recursive: true });
    renameSync(`${folder}-moved`, folder);
    expect(await store.records.compareAndSet(key('a'), 1, value, null)).toBe(2);
    rmSync(folder, { recursive: true });
    await expectNoWrites();
    await store.close();
  },
);

// A file system that takes no folders says that the parent is missing, though it is there.
test.runIf(process.platform === 'linux')('a folder that cannot be made is refused', async () => {
  await expect(openStore('/proc/afterimage/store')).rejects.toMatchObject({ code: 'storage_unavailable' });
});

test('makes the folder and everything in it for its owner only', async () => {
  const store = await openStore(folder);
  await store.records.compareAndSet(key('a'), 0, new Uint8Array(10), null);
  await store.blobs.put({ tenant: 't', area: 'pixels', id: 'a' }, new Uint8Array(10));
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  expect(paths).toEqual(expect.arrayContaining(['afterimage.db', 'afterimage.db-wal', 'afterimage.json']));
  for (const path of ['.', ...paths]) {
    const stats = statSync(file(path));
    expect([path, stats.mode & 0o777]).toEqual([path, stats.isDirectory() ? 0o700 : 0o600]);
  }
  await store.close();
  expect(JSON.parse(readFileSync(file('afterimage.json'), 'utf8'))).toMatchObject({
    format: 1,
    pid: process.pid,
  });
});

test('deleted values are gone from the files', async () => {
  const store = await openStore(folder);
  const secret = Buffer.from('what-the-picture-showed '.repeat(400));
  for (let id = 0; id < 20; id++) await store.records.compareAndSet(key(`${id}`), 0, secret, 1);
  await store.records.takeExpired('session', 1, 100);
  await store.close();
  for (const name of readdirSync(folder).filter((name) => name.startsWith('afterimage'))) {
    expect(readFileSync(file(name)).includes('what-the-picture')).toBe(false);
  }
});

describe('one owner', () => {
  test('a second store is refused until the first is closed, and does not take its lock away', async () => {
    const first = await openStore(folder);
    const locked = { code: 'storage_locked', message: expect.stringContaining(`pid ${process.pid}`) };
    for (let time = 0; time < 3; time++) await expect(openStore(folder)).rejects.toMatchObject(locked);
    const open = `import { openStore } from '${new URL('./openStore.ts', import.meta.url)}';
      await openStore(process.argv[1]).catch(({ code }) => process.stdout.write(code));`;
    const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', open, folder]);
    expect(`${elsewhere}`).toBe('storage_locked');
    await first.records.compareAndSet(key('a'), 0, new Uint8Array(1), null);
    await first.close();
    const second = await openStore(folder);
    expect(await second.records.count('session')).toBe(1);
    await second.close();
  });

  test('of stores opened at once exactly one is', async () => {
    const opened = await Promise.allSettled(Array.from({ length: 5 }, () => openStore(folder)));
    const stores = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(stores).toHaveLength(1);
    await stores[0]?.close();
  });

  test('a refused opening lets go of the folder', async () => {
    await fill();
    writeFileSync(file('afterimage.json'), '{"format": 99}');
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'storage_newer_format' });
    writeFileSync(file('afterimage.json'), '{"format": 1}');
    await (await openStore(folder)).close();
  });
});

describe('refuses', () => {
  beforeEach(fill);

  test('a database that is not one', async () => {
    writeFileSync(file('afterimage.db'), Buffer.alloc(20_000, 'x'));
    await expectRefused('storage_corrupt', 'afterimage.db');
  });

  test.each([0, 1, 50, 4096, 5000, 100_000])('a database cut to %i bytes', async (bytes) => {
    truncateSync(file('afterimage.db'), bytes);
    await expectRefused('storage_corrupt', 'afterimage.db');
  });

  test('a folder whose database is missing', async () => {
    rmSync(file('afterimage.db'));
    await expectRefused('storage_corrupt', 'afterimage.db');
    expect(existsSync(file('afterimage.db'))).toBe(false);
  });

  test('a newer database', async () => {
    const database = new DatabaseSync(file('afterimage.db'));
    database.exec('PRAGMA user_version = 2');
    database.close();
    await expectRefused('storage_newer_format', 'afterimage.db');
  });

  test('a newer folder, an unreadable mark', async () => {
    writeFileSync(file('afterimage.json'), '{"format": 2, "pid": 1, "host": "h"}');
    await expectRefused('storage_newer_format', 'afterimage.json');
    writeFileSync(file('afterimage.json'), '{"format": 1');
    await expectRefused('storage_corrupt', 'afterimage.json');
    writeFileSync(file('afterimage.json'), 'null');
    await expectRefused('storage_corrupt', 'afterimage.json');
  });

  test('a file where a folder should be', async () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'mine');
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'storage_unavailable' });
    await expect(openStore(join(folder, 'below'))).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(readFileSync(folder, 'utf8')).toBe('mine');
  });

  test('a folder where the database should be', async () => {
    rmSync(file('afterimage.db'));
    mkdirSync(file('afterimage.db'));
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'storage_unavailable' });
  });
});

test('damage inside the database is found, reported by reads, and never overwritten', async () => {
  await fill();
  const bytes = readFileSync(file('afterimage.db'));
  // All but the first pages: header, schema and the tables' roots stay.
  bytes.fill(0xab, 5 * 4096);
  writeFileSync(file('afterimage.db'), bytes);
  const store = await openStore(folder);
  expect((await store.checkIntegrity()).join()).toContain('afterimage.db');
  const reads = await Promise.allSettled(
    Array.from({ length: 50 }, async (_, id) => {
      const record = await store.records.get(key(`${id}`));
      expect(record?.value).toEqual(new Uint8Array(3000).fill(id));
    }),
  );
  const failed = reads.flatMap((read) => (read.status === 'rejected' ? [read.reason] : []));
  expect(failed.length).toBeGreaterThan(10);
  for (const error of failed) expect(error).toMatchObject({ code: 'storage_corrupt' });
  await store.close();
  expect(Buffer.compare(readFileSync(file('afterimage.db')), bytes)).toBe(0);
});
