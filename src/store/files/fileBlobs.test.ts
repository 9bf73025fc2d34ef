import {
  copyFileSync,
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
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freeBytesAt } from '../../files/storageFailure.ts';
import { blobPath } from './blobPath.ts';
import { type BlobDamage, FileBlobs } from './fileBlobs.ts';

let folder: string;
let damage: BlobDamage[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-blobs-test-'));
  damage = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (reserveBytes = 0): FileBlobs =>
  new FileBlobs(folder, { reserveBytes, onDamage: (found) => damage.push(found) });
const key = { tenant: 'acme', area: 'pixels', id: 'one' };
const value = new Uint8Array(Buffer.from('the picture, all of it'));

describe('a damaged file is absent, reported and left as it is', () => {
  /** Reads give nothing and report it, the check finds it, a new put heals it. */
  async function expectAbsent(blobs: FileBlobs, problem: RegExp): Promise<void> {
    const path = blobPath(folder, key);
    const before = readFileSync(path);
    damage = [];
    expect(await blobs.get(key)).toBeUndefined();
    expect(damage).toEqual([{ path, problem: expect.stringMatching(problem) }]);
    expect((await blobs.checkIntegrity()).filter((line) => line.startsWith(path))).toHaveLength(1);
    expect(damage).toHaveLength(1);
    expect(readFileSync(path)).toEqual(before);
    await blobs.put(key, value);
    expect(await blobs.get(key)).toEqual(value);
  }

  test('whichever bit flips', async () => {
    const blobs = open();
    await blobs.put(key, value);
    const path = blobPath(folder, key);
    const whole = readFileSync(path);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      writeFileSync(path, flipped);
      expect([bit, await blobs.get(key)]).toEqual([bit, undefined]);
    }
    expect(damage).toHaveLength(whole.length * 8);
    await expectAbsent(blobs, /./);
  });

  test('wherever it is cut, and when it has grown', async () => {
    const blobs = open();
    await blobs.put(key, value);
    const path = blobPath(folder, key);
    const whole = readFileSync(path);
    for (let bytes = 0; bytes < whole.length; bytes++) {
      writeFileSync(path, whole);
      truncateSync(path, bytes);
      expect([bytes, await blobs.get(key)]).toEqual([bytes, undefined]);
    }
    expect(damage).toHaveLength(whole.length);
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(1)]));
    await expectAbsent(blobs, /checksum/);
  });

  test('when it is the file of another id, tenant or area', async () => {
    const blobs = open();
    for (const other of [
      { ...key, id: 'two' },
      { ...key, tenant: 'umbrella' },
      { ...key, area: 'upload' },
    ]) {
      await blobs.put(key, value);
      await blobs.put(other, Buffer.from('not yours'));
      copyFileSync(blobPath(folder, other), blobPath(folder, key));
      expect(await blobs.list(key.tenant, key.area)).not.toContain('one');
      await expectAbsent(blobs, /belongs to another key/);
    }
  });

  test('when it lies in another folder', async () => {
    const blobs = open();
    await blobs.put(key, value);
    const stray = join(folder, 'upload', '0'.repeat(64), '00', '0'.repeat(64));
    mkdirSync(dirname(stray), { recursive: true });
    renameSync(blobPath(folder, key), stray);
    expect(await blobs.get(key)).toBeUndefined();
    expect(await blobs.checkIntegrity()).toEqual([`${stray}: it belongs to another key`]);
  });

  test('and can be deleted', async () => {
    const blobs = open();
    await blobs.put(key, value);
    truncateSync(blobPath(folder, key), 3);
    expect(await blobs.delete(key)).toBe(true);
    expect(await blobs.checkIntegrity()).toEqual([]);
  });
});

describe('opening', () => {
  test('removes what crashed writes left, and nothing else', async () => {
    const before = open();
    await before.put(key, value);
    await before.put({ ...key, id: 'gone' }, value);
    await before.delete({ ...key, id: 'gone' });
    const path = blobPath(folder, key);
    writeFileSync(`${path}.tmp`, 'half of it');
    const lonely = `${blobPath(folder, { ...key, id: 'never finished' })}.tmp`;
    mkdirSync(dirname(lonely), { recursive: true });
    writeFileSync(lonely, '');
    const notOurs = join(dirname(path), 'notes.txt.tmp');
    writeFileSync(notOurs, 'keep');

    const after = open();
    expect(existsSync(`${path}.tmp`)).toBe(false);
    expect(existsSync(dirname(lonely))).toBe(false);
    expect(existsSync(dirname(blobPath(folder, { ...key, id: 'gone' })))).toBe(false);
    expect(readFileSync(notOurs, 'utf8')).toBe('keep');
    expect(await after.get(key)).toEqual(value);
    expect(await after.usage()).toEqual({ pixels: statSync(path).size });
  });

  test('counts what is there', async () => {
    const before = open();
    for (let id = 0; id < 20; id++) {
      await before.put({ ...key, id: `${id}` }, new Uint8Array(id * 100));
      await before.put({ ...key, area: 'upload', id: `${id}` }, new Uint8Array(id));
    }
    expect(await open().usage()).toEqual(await before.usage());
  });
});

test('no name of a tenant or blob shows in a path', async () => {
  const blobs = open();
  await blobs.put({ tenant: '../../secret', area: 'upload', id: '/etc/passwd' }, value);
  expect(readdirSync(folder)).toEqual(['upload']);
  expect(readdirSync(folder, { recursive: true }).join()).not.toMatch(/secret|passwd/);
});

test('an area is a plain word', async () => {
  for (const area of ['', '..', 'a/b', 'A', 'pixels\0']) {
    await expect(open().put({ ...key, area }, value)).rejects.toThrow(TypeError);
    await expect(open().list('acme', area)).rejects.toThrow(TypeError);
  }
});

describe('the reserve', () => {
  test.each(['features', 'snapshot'])('is refused to %s', async (area) => {
    const blobs = open(Number.MAX_SAFE_INTEGER);
    await expect(blobs.put({ ...key, area }, value)).rejects.toMatchObject({
      code: 'storage_full',
      details: { reserveBytes: Number.MAX_SAFE_INTEGER, bytes: expect.any(Number) },
    });
    expect(await blobs.get({ ...key, area })).toBeUndefined();
    expect((await blobs.usage())[area] ?? 0).toBe(0);
  });

  test.each(['pixels', 'upload'])('is open to %s but for a quarter', async (area) => {
    const free = freeBytesAt(folder);
    const blobs = open(free * 2);
    await blobs.put({ ...key, area }, value);
    expect(await blobs.get({ ...key, area })).toEqual(value);
    await expect(open(free * 8).put({ ...key, area }, value)).rejects.toMatchObject({
      code: 'storage_full',
      details: { reserveBytes: free * 2 },
    });
  });
});

test('a failed write leaves no file behind and the old blob in place', async () => {
  const blobs = open();
  await blobs.put(key, value);
  const path = blobPath(folder, key);
  // A folder in the way of the unfinished file.
  mkdirSync(`${path}.tmp`);
  await expect(blobs.put(key, new Uint8Array(10))).rejects.toMatchObject({ code: 'storage_unavailable' });
  rmSync(`${path}.tmp`, { recursive: true, force: true });
  expect(readdirSync(dirname(path))).toHaveLength(1);
  expect(await blobs.get(key)).toEqual(value);
  expect(await blobs.usage()).toEqual({ pixels: statSync(path).size });
  await blobs.put(key, new Uint8Array(10));
  expect(await blobs.get(key)).toEqual(new Uint8Array(10));
});
