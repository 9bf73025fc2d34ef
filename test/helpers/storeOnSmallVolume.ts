import { execFileSync } from 'node:child_process';
import { readdirSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/store/openStore.ts';
import type { Store } from '../../src/store/port.ts';

/**
 * Runs in a mount namespace of its own on a volume of a few MiB (argv[2]), fills it in every way and prints what happened
 * as one JSON object. `test/store-disk.test.ts` says what should have.
 */
const volume = process.argv[2] as string;
const folder = join(volume, 'data');
const reserveBytes = 1 << 20;

const features = (id: number) => ({ tenant: 't', area: 'features', id: `${id}` });
const pixels = (id: number) => ({ tenant: 't', area: 'pixels', id: `${id}` });
const session = (id: number) => ({ tenant: 't', kind: 'session', id: `${id}` });

/** Writes 0, 1, 2 ... until one fails; how many there are and the error's code and details. */
async function untilFull(write: (id: number) => Promise<unknown>) {
  for (let count = 0; count < 10_000; count++) {
    try {
      await write(count);
    } catch (error) {
      const { code, details } = error as { code?: string; details?: object };
      if (code === undefined) throw error;
      return { count, code, details };
    }
  }
  throw new Error('the volume never got full');
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'fine',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(volume);
  return bavail * bsize;
}

function blobFiles(): { bytes: number; unfinished: number } {
  const names = readdirSync(join(folder, 'blobs'), { recursive: true, encoding: 'utf8' });
  const stats = names.map((name) => statSync(join(folder, 'blobs', name)));
  return {
    bytes: stats.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0),
    unfinished: names.filter((name) => name.endsWith('.tmp')).length,
  };
}

async function wholeBlobs(store: Store, count: number): Promise<number> {
  const values = await Promise.all(Array.from({ length: count }, (_, id) => store.blobs.get(pixels(id))));
  return values.filter((value, id) => value?.length === 30_000 && value.every((byte) => byte === id % 256))
    .length;
}

async function wholeRecords(store: Store, count: number): Promise<number> {
  const records = await Promise.all(Array.from({ length: count }, (_, id) => store.records.get(session(id))));
  return records.filter((record) => record?.value.every((byte) => byte === 9)).length;
}

const record = new Uint8Array(8000).fill(9);
// Something else on the volume, removed when nothing can be opened any more.
const ballast = join(volume, 'ballast');
writeFileSync(ballast, new Uint8Array(256 * 1024));
let store = await openStore(folder, { reserveBytes });
const caches = await untilFull((id) => store.blobs.put(features(id), new Uint8Array(100_000)));
const freeAfterCaches = freeBytes();
const sessionAfterCaches = await store.records.compareAndSet(session(0), 0, record, null);

const pictures = await untilFull((id) => store.blobs.put(pixels(id), new Uint8Array(30_000).fill(id)));
const freeAfterPictures = freeBytes();
const afterPictures = { ...blobFiles(), usage: await store.blobs.usage() };
// Room for some sessions, not for many.
const deletedWhileFull = await store.blobs.delete(features(1));
const sessions = await untilFull((id) => store.records.compareAndSet(session(id + 1), 0, record, null));
const sessionCount = sessions.count + 1;
const update = await codeOf(store.records.compareAndSet(session(0), 1, new Uint8Array(1_000_000), null));
const whileFull = {
  free: freeBytes(),
  blobs: await wholeBlobs(store, pictures.count),
  records: await wholeRecords(store, sessionCount),
  damage: await store.checkIntegrity(),
};

await store.close();
// Closing moves the log into the database; what that frees is taken again, to the last block.
const filler = join(volume, 'filler');
execFileSync('sh', ['-c', 'cat /dev/zero > "$1" || true', 'sh', filler], { stdio: 'ignore' });
const freeBeforeReopen = freeBytes();
const reopenFull = await codeOf(openStore(folder).then((opened) => opened.close()));
execFileSync('rm', ['-f', filler, ballast]);

store = await openStore(folder, { reserveBytes });
const deleted = await store.blobs.delete(features(0));
const afterDelete = {
  write: await codeOf(store.records.compareAndSet(session(0), 1, record, null)),
  blobs: await wholeBlobs(store, pictures.count),
  records: await wholeRecords(store, sessionCount),
};
await store.close();

execFileSync('mount', ['-o', 'remount,ro', volume]);
const readOnly = await codeOf(openStore(folder));
const readOnlyNew = await codeOf(openStore(join(volume, 'new')));
execFileSync('mount', ['-o', 'remount,rw', volume]);
store = await openStore(folder, { reserveBytes });
const inTheEnd = { records: await wholeRecords(store, sessionCount), damage: await store.checkIntegrity() };
await store.close();

process.stdout.write(
  JSON.stringify({
    reserveBytes,
    caches,
    freeAfterCaches,
    sessionAfterCaches,
    pictures,
    freeAfterPictures,
    afterPictures,
    deletedWhileFull,
    sessions,
    update,
    sessionCount,
    whileFull,
    freeBeforeReopen,
    reopenFull,
    deleted,
    afterDelete,
    readOnly,
    readOnlyNew,
    inTheEnd,
  }),
);
