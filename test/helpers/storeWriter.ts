import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { openStore } from '../../src/store/openStore.ts';
import type { BlobKey, RecordKey, Store } from '../../src/store/port.ts';

/** Write n of a stream goes to key n % keyCount, so the version of a record tells how often it was written. */
export const keyCount = 5;
export const recordKey = (n: number): RecordKey => ({ tenant: 't', kind: 'session', id: `${n % keyCount}` });
export const blobKey = (n: number): BlobKey => ({ tenant: 't', area: 'pixels', id: `${n % keyCount}` });

/** 4 KB, or up to 300 KB: n over and over, so that half a value shows. */
export const recordValue = (n: number): Uint8Array => repeat(n, 1024);
export const blobValue = (n: number): Uint8Array => repeat(n, 1 + ((n * 7919) % 75_000));

/** The n of a value; undefined when there is none or it isn't whole. */
export function writeOf(value: Uint8Array | undefined, make: (n: number) => Uint8Array): number | undefined {
  if (!value || value.length < 4) return undefined;
  const n = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  return Buffer.compare(value, make(n)) === 0 ? n : undefined;
}

function repeat(n: number, times: number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: times }, () => n).buffer);
}

/** Writes until it is killed and says so on stdout: `open`, then `record <n>` or `blob <n>` when write n has resolved. */
async function writeForever(folder: string): Promise<void> {
  const say = (line: string): number => writeSync(1, `${line}\n`);
  const store = await openStore(folder);
  say('open');
  await Promise.all([
    (async () => {
      for (let n = await nextRecord(store); ; n++) {
        const version = Math.floor(n / keyCount);
        const written = await store.records.compareAndSet(recordKey(n), version, recordValue(n), null);
        if (written !== version + 1) throw new Error(`record ${n} was not at version ${version}`);
        say(`record ${n}`);
        // The other stream gets its turn only between macrotasks.
        await new Promise(setImmediate);
      }
    })(),
    (async () => {
      for (let n = await nextBlob(store); ; n++) {
        await store.blobs.put(blobKey(n), blobValue(n));
        say(`blob ${n}`);
      }
    })(),
  ]);
}

async function nextRecord(store: Store): Promise<number> {
  const values = await Promise.all(keys.map(async (n) => (await store.records.get(recordKey(n)))?.value));
  return 1 + Math.max(-1, ...values.map((value) => writeOf(value, recordValue) ?? -1));
}

async function nextBlob(store: Store): Promise<number> {
  const values = await Promise.all(keys.map((n) => store.blobs.get(blobKey(n))));
  return 1 + Math.max(-1, ...values.map((value) => writeOf(value, blobValue) ?? -1));
}

const keys = Array.from({ length: keyCount }, (_, n) => n);

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await writeForever(process.argv[2] as string);
}
