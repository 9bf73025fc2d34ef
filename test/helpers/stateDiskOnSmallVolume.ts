/**
 * Runs in a mount namespace of its own on a volume of a few MiB (argv[2]), fills it and prints what happened as one JSON
 * object. `test/state-disk-full.test.ts` says what should have.
 */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, openStateDisk as openDisk, snapshotOf } from './stateDisks.ts';

const volume = process.argv[2] as string;
const folder = join(volume, 'state');
const reserveBytes = 512 * 1024;
const body = bytesOf(200_000);
const free = (): number => statfsSync(volume).bavail * statfsSync(volume).bsize;
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'fine',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

const evicted: string[] = [];
const open = (options = {}) =>
  openDisk(folder, { reserveBytes, onEvicted: (ids) => evicted.push(...ids), ...options });

// More than there is room for: the oldest make room for the newest.
const disk = await open();
const ids: string[] = [];
for (let n = 0; n < 30; n++) ids.push((await disk.write(snapshotOf(`s${n}`), body)).id);
const kept = ids.filter((id) => !evicted.includes(id));
let readable = 0;
for (const id of kept) if ((await disk.read(id))?.body.length === body.length) readable++;
const newest = ids.slice(-kept.length);
const freeAtReserve = free();
const files = readdirSync(join(folder, 'objects')).length;

// Somebody else takes what is left, to the last byte.
const ballast = join(volume, 'ballast');
const fill = (): void => {
  for (let bytes = free(); bytes >= 4096; bytes = free()) {
    writeFileSync(ballast, new Uint8Array(bytes), { flag: 'a' });
  }
};
fill();
const freeWithBallast = free();
const readWhenFull = (await disk.read(kept.at(-1) as string))?.body.length;
const evictedBefore = evicted.length;
await disk.yieldSpace();
const freeAfterYield = free();
const yielded = evicted.length - evictedBefore;
fill();
for (let look = 0; look < 10; look++) {
  await disk.yieldSpace();
  fill();
}
const objectsInTheEnd = readdirSync(join(folder, 'objects')).length;
const writeWhenFull = await codeOf(disk.write(snapshotOf('new'), new Uint8Array(10)));

rmSync(ballast);
const writeAfterwards = await codeOf(disk.write(snapshotOf('new'), new Uint8Array(10)));
const { refused } = disk.stats;
await disk.close();

process.stdout.write(
  JSON.stringify({
    reserveBytes,
    bodyBytes: body.length,
    kept: kept.length,
    newestAreKept: newest.every((id) => kept.includes(id)),
    readable,
    files,
    freeAtReserve,
    freeWithBallast,
    readWhenFull,
    yielded,
    freeAfterYield,
    objectsInTheEnd,
    writeWhenFull,
    writeAfterwards,
    refused,
  }),
);
