import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StateDisk, type StateDiskOptions } from '../src/engine/state/disk/stateDisk.ts';
import type { DiskObject } from '../src/engine/state/diskTier.ts';
import { silentLogger } from './helpers/silentLogger.ts';

let folder: string;
const open_: StateDisk[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-disk-'));
});
afterEach(async () => {
  for (const disk of open_.splice(0)) await disk.close();
  rmSync(folder, { recursive: true });
});

async function open(options: Partial<StateDiskOptions> = {}): Promise<StateDisk> {
  const defaults = {
    folder,
    fingerprint: 'model 1',
    maxBytes: 2 ** 30,
    reserveBytes: 0,
    logger: silentLogger,
  };
  const disk = await StateDisk.open({ ...defaults, ...options });
  open_.push(disk);
  return disk;
}
const snapshot = (tenant: string, session: string, meta: unknown = {}) =>
  ({ kind: 'snapshot', tenant, scope: { session }, meta }) as const;
const body = (text: string): Uint8Array => new TextEncoder().encode(text.repeat(50));
const objectFiles = (): string[] =>
  readdirSync(join(folder, 'objects')).map((name) => join(folder, 'objects', name));
const allFiles = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
async function found(disk: StateDisk): Promise<DiskObject[]> {
  const objects: DiskObject[] = [];
  await disk.scan((object) => objects.push(object));
  return objects;
}

test('what was written is read back, by this process and by the next', async () => {
  const disk = await open();
  const meta = { segments: ['AAAA', ['sha256:1:32x32', 1, 1]], nPast: 4 };
  const written = await disk.write(snapshot('t', 's', meta), body('zebra'));
  expect((await disk.read(written.id))?.body).toEqual(new Uint8Array(body('zebra')));
  expect(disk.stats.bytes).toBe(statSync(objectFiles()[0] as string).size);
  await disk.close();
  const next = await open();
  const [object] = await found(next);
  expect(object).toMatchObject({
    id: written.id,
    kind: 'snapshot',
    tenant: 't',
    scope: { session: 's' },
    meta,
  });
  expect((await next.read(written.id))?.body).toEqual(new Uint8Array(body('zebra')));
  expect(await next.sessions()).toEqual([{ tenant: 't', session: 's' }]);
});

test('no file says what it holds, or whose it is', async () => {
  const disk = await open();
  await disk.write(
    snapshot('tenant-canary', 'session-canary', { prompt: 'meta-canary' }),
    body('body-canary'),
  );
  for (const path of objectFiles()) {
    const bytes = readFileSync(path);
    for (const part of ['tenant', 'session', 'meta', 'body'])
      expect(bytes.includes(`${part}-canary`)).toBe(false);
    expect(path).not.toContain('canary');
  }
  for (const path of allFiles()) expect(readFileSync(path).includes('body-canary')).toBe(false);
  if (process.platform !== 'win32') {
    for (const path of allFiles()) expect(statSync(path).mode & 0o077).toBe(0);
  }
});

test('a session that is forgotten takes its key along, and what only it used; nothing of the key is left in any file', async () => {
  const disk = await open();
  await disk.hold('t', 'cat', 'a');
  await disk.hold('t', 'cat', 'b');
  await disk.hold('t', 'dog', 'a');
  const image = (name: string) =>
    ({ kind: 'features', tenant: 't', scope: { image: name }, meta: {} }) as const;
  const own = await disk.write(snapshot('t', 'a'), body('1'));
  const other = await disk.write(snapshot('t', 'b'), body('2'));
  const foreign = await disk.write(snapshot('u', 'a'), body('3'));
  const cat = await disk.write(image('cat'), body('4'));
  const dog = await disk.write(image('dog'), body('5'));
  const { DatabaseSync } = await import('node:sqlite');
  const reader = new DatabaseSync(join(folder, 'keys.db'), { readOnly: true });
  const { sealed } = reader
    .prepare("SELECT sealed_key AS sealed FROM scopes WHERE tenant = 't' AND name = 'session:a'")
    .get() as { sealed: Uint8Array };
  reader.close();
  expect(allFiles().some((path) => readFileSync(path).includes(Buffer.from(sealed)))).toBe(true);

  expect(new Set(await disk.forget('t', 'a'))).toEqual(new Set([own.id, dog.id]));
  expect(allFiles().some((path) => readFileSync(path).includes(Buffer.from(sealed)))).toBe(false);
  expect([await disk.read(own.id), await disk.read(dog.id)]).toEqual([undefined, undefined]);
  for (const { id } of [other, foreign, cat]) expect(await disk.read(id)).toBeDefined();
  expect(await disk.forget('t', 'b')).toHaveLength(2);
  // A picture that nobody shows any more is not written.
  await expect(disk.write(image('cat'), body('6'))).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(await disk.forget('u')).toEqual([foreign.id]);
  expect([objectFiles(), disk.stats.bytes, await disk.sessions()]).toEqual([[], 0, []]);
});

test('10,000 damaged objects: none is given back, each is counted and removed', {
  timeout: 120_000,
}, async () => {
  const disk = await open();
  const spare = await disk.write(snapshot('t', 'other'), body('spare'));
  const spareFile = readFileSync(join(folder, 'objects', spare.id));
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const rounds = 10_000;
  const older = new Map<string, Buffer>();
  for (let round = 0; round < rounds; round++) {
    const { id } = await disk.write(snapshot('t', `s${round % 7}`, { round }), body(`state ${round}`));
    const path = join(folder, 'objects', id);
    const file = readFileSync(path);
    const kind = round % 5;
    if (kind === 0) {
      const at = random(file.length);
      file[at] = (file[at] as number) ^ (1 << random(8));
      writeFileSync(path, file);
    } else if (kind === 1) writeFileSync(path, file.subarray(0, random(file.length)));
    else if (kind === 2) writeFileSync(path, Buffer.concat([file, Buffer.alloc(1 + random(64))]));
    else if (kind === 3) writeFileSync(path, older.get('last') ?? spareFile);
    else rmSync(path);
    older.set('last', file);
    expect(await disk.read(id)).toBeUndefined();
  }
  const { damaged, replaced, outdated, missing } = disk.stats.refused;
  expect(damaged + replaced + outdated + missing).toBe(rounds);
  expect(missing).toBe(rounds / 5);
  expect(replaced).toBeGreaterThanOrEqual(rounds / 5);
  console.log(`10,000 damaged objects: ${JSON.stringify(disk.stats.refused)}`);
  expect(objectFiles()).toEqual([join(folder, 'objects', spare.id)]);
  expect(await disk.read(spare.id)).toBeDefined();
});

test('an object of another session, an older one under a newer name, and a foreign tenant’s are not let in', async () => {
  const disk = await open();
  const write = (tenant: string, session: string) => disk.write(snapshot(tenant, session), body(session));
  const [a, b, c] = [await write('t', 'a'), await write('t', 'b'), await write('u', 'a')];
  const pathOf = ({ id }: DiskObject): string => join(folder, 'objects', id);
  renameSync(pathOf(a), `${pathOf(a)}.swap`);
  renameSync(pathOf(b), pathOf(a));
  renameSync(`${pathOf(a)}.swap`, pathOf(b));
  expect([await disk.read(a.id), await disk.read(b.id)]).toEqual([undefined, undefined]);
  expect(disk.stats.refused.replaced).toBe(2);
  expect(await disk.read(c.id)).toBeDefined();

  // Even a register that was tampered with doesn't make one object another: each is sealed as what it is.
  const d = await write('t', 'd');
  const e = await write('t', 'e');
  cpSync(pathOf(e), pathOf(d));
  await disk.close();
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(folder, 'keys.db'));
  database
    .prepare('UPDATE objects SET salt = (SELECT salt FROM objects WHERE id = ?) WHERE id = ?')
    .run(e.id, d.id);
  database.close();
  const next = await open();
  expect(await next.read(d.id)).toBeUndefined();
  expect(next.stats.refused.damaged).toBe(1);
});

test('another model’s state, another format and another operator’s key are dropped, and the engine starts all the same', async () => {
  const disk = await open();
  await disk.write(snapshot('t', 'a'), body('1'));
  await disk.close();
  const other = await open({ fingerprint: 'model 2' });
  expect(await found(other)).toEqual([]);
  expect([other.stats.refused.outdated, objectFiles()]).toEqual([1, []]);
  const { id } = await other.write(snapshot('t', 'a'), body('2'));
  const path = join(folder, 'objects', id);
  const file = readFileSync(path);
  file.writeUInt32LE(2, 4);
  writeFileSync(path, file);
  expect(await other.read(id)).toBeUndefined();
  expect(other.stats.refused.outdated).toBe(2);
  await other.write(snapshot('t', 'a'), body('3'));
  await other.close();
  const locked = await open({ fingerprint: 'model 2', masterKey: new Uint8Array(32).fill(7) });
  expect(await found(locked)).toEqual([]);
  expect(locked.stats.refused.locked).toBe(1);
  const again = await locked.write(snapshot('t', 'a'), body('4'));
  expect(await locked.read(again.id)).toBeDefined();
});

test('files that nobody registered and rows without a file go at the next start', async () => {
  const disk = await open();
  const kept = await disk.write(snapshot('t', 'a'), body('1'));
  const lost = await disk.write(snapshot('t', 'b'), body('2'));
  await disk.close();
  writeFileSync(join(folder, 'objects', 'f'.repeat(32)), 'left by a crash');
  writeFileSync(join(folder, 'objects', `${'e'.repeat(32)}.tmp`), 'unfinished');
  rmSync(join(folder, 'objects', lost.id));
  writeFileSync(join(folder, 'master.key.tmp'), '');
  const next = await open();
  expect((await found(next)).map(({ id }) => id)).toEqual([kept.id]);
  expect(objectFiles()).toEqual([join(folder, 'objects', kept.id)]);
  expect(next.stats.refused.missing).toBe(1);
});

test('within its budget the objects used last stay, and what is larger than all of it is refused', async () => {
  const evicted: string[] = [];
  const disk = await open({ maxBytes: 2_000, onEvicted: (ids) => evicted.push(...ids) });
  const write = (session: string) => disk.write(snapshot('t', session), new Uint8Array(600));
  const first = await write('a');
  const second = await write('b');
  await new Promise((resolve) => setTimeout(resolve, 5));
  await disk.read(first.id);
  const third = await write('c');
  expect(evicted).toEqual([second.id]);
  expect([await disk.read(second.id), (await disk.read(third.id))?.body.length]).toEqual([undefined, 600]);
  const large = disk.write(snapshot('t', 'd'), new Uint8Array(2_000));
  await expect(large).rejects.toMatchObject({ code: 'storage_full' });
  expect(disk.stats.bytes).toBeLessThanOrEqual(2_000);
});

test('reads overtake writes that wait, a write that waits can be taken back, and close waits for the others', async () => {
  const disk = await open();
  const first = await disk.write(snapshot('t', 'a'), body('1'));
  const order: string[] = [];
  const writes = [1, 2, 3, 4].map((n) =>
    disk.write(snapshot('t', `w${n}`), new Uint8Array(2 ** 20)).then(() => order.push('write')),
  );
  const unwanted = new AbortController();
  const taken = disk.write(snapshot('t', 'x'), body('x'), { signal: unwanted.signal });
  const read = disk.read(first.id).then(() => order.push('read'));
  unwanted.abort(new Error('not any more'));
  await expect(taken).rejects.toThrow('not any more');
  const closed = disk.close();
  await Promise.all([...writes, read, closed]);
  expect(order).toEqual(['write', 'read', 'write', 'write', 'write']);
  await expect(disk.read(first.id)).rejects.toMatchObject({ code: 'storage_unavailable' });
});

test('a damaged key table costs what was kept, not the start', async () => {
  const disk = await open();
  await disk.write(snapshot('t', 'a'), body('1'));
  await disk.close();
  writeFileSync(join(folder, 'keys.db'), Buffer.alloc(8192, 7));
  const next = await open();
  expect([await found(next), objectFiles()]).toEqual([[], []]);
  const { id } = await next.write(snapshot('t', 'a'), body('2'));
  expect((await next.read(id))?.body).toEqual(new Uint8Array(body('2')));
});

test('one object whose header’s size is damaged, or that can’t be read, keeps no other from being found', async () => {
  const disk = await open();
  const large = new Uint8Array(100_000);
  const [long, folderInstead, kept] = [
    await disk.write(snapshot('t', 'a'), large),
    await disk.write(snapshot('t', 'b'), large),
    await disk.write(snapshot('t', 'c'), large),
  ];
  await disk.close();
  const path = join(folder, 'objects', long.id);
  const file = readFileSync(path);
  file.writeUInt32LE(0xf0000000, 8);
  writeFileSync(path, file);
  rmSync(join(folder, 'objects', folderInstead.id));
  mkdirSync(join(folder, 'objects', folderInstead.id));
  const next = await open();
  expect((await found(next)).map(({ id }) => id)).toEqual([kept.id]);
  expect(next.stats.refused.damaged).toBe(2);
  expect(objectFiles()).toEqual([join(folder, 'objects', kept.id)]);
  expect(next.stats.bytes).toBe(statSync(objectFiles()[0] as string).size);
});

test('a key table with damaged pages is thrown away, too', async () => {
  const disk = await open();
  for (let n = 0; n < 50; n++) await disk.write(snapshot('t', `session ${n}`), body('1'));
  await disk.close();
  const path = join(folder, 'keys.db');
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096);
  writeFileSync(path, bytes);
  const next = await open();
  expect([await found(next), objectFiles()]).toEqual([[], []]);
  const { id } = await next.write(snapshot('t', 'a'), body('2'));
  expect((await next.read(id))?.body).toEqual(new Uint8Array(body('2')));
});

test('a file whose row could not be written does not stay', async () => {
  const disk = await open();
  await disk.write(snapshot('t', 'a'), body('1'));
  const { DatabaseSync } = await import('node:sqlite');
  const other = new DatabaseSync(join(folder, 'keys.db'));
  other.exec("CREATE TRIGGER refuse BEFORE INSERT ON objects BEGIN SELECT RAISE(FAIL, 'refused'); END");
  await expect(disk.write(snapshot('t', 'a'), body('2'))).rejects.toThrow();
  expect(objectFiles()).toHaveLength(1);
  other.exec('DROP TRIGGER refuse');
  other.close();
});
