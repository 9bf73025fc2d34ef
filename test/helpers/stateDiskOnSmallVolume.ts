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

async function untilFull(disk: Awaited<ReturnType<typeof openDisk>>) {
  const ids: string[] = [];
  for (;;) {
    try {
      ids.push((await disk.write(snapshotOf(`s${ids.length}`), body)).id);
    } catch (error) {
      return { ids, code: (error as { code?: string }).code };
    }
  }
}

// Up to the reserve, then up to the last byte.
let disk = await openDisk(folder, { reserveBytes });
const reserved = await untilFull(disk);
const freeAtReserve = free();
await disk.close();
disk = await openDisk(folder);
const full = await untilFull(disk);
const leftovers = readdirSync(join(folder, 'objects')).length - reserved.ids.length - full.ids.length;
let readable = 0;
for (const id of [...reserved.ids, ...full.ids])
  if ((await disk.read(id))?.body.length === body.length) readable++;

// Somebody else takes what is left.
const ballast = join(volume, 'ballast');
for (let bytes = free(); bytes >= 4096; bytes = free()) {
  writeFileSync(ballast, new Uint8Array(bytes), { flag: 'a' });
}
const freeWithBallast = free();
const writeWhenFull = await codeOf(disk.write(snapshotOf('new'), new Uint8Array(10)));
const readWhenFull = (await disk.read(reserved.ids[0] as string))?.body.length;
rmSync(ballast);
const forget = await codeOf(disk.forget('acme', 's0'));
const writeAfterwards = await codeOf(disk.write(snapshotOf('new'), new Uint8Array(10)));
const { refused } = disk.stats;
await disk.close();

process.stdout.write(
  JSON.stringify({
    reserveBytes,
    bodyBytes: body.length,
    reserved: { count: reserved.ids.length, code: reserved.code },
    freeAtReserve,
    full: { count: full.ids.length, code: full.code },
    leftovers,
    readable,
    freeWithBallast,
    writeWhenFull,
    readWhenFull,
    forget,
    writeAfterwards,
    refused,
  }),
);
