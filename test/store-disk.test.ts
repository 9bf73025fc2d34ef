import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const volume = mkdtempSync(join(tmpdir(), 'store-disk-test-'));
afterAll(() => rmdirSync(volume));

/** A mount namespace of its own: whatever happens to the test, the volume is gone with the process. */
const unshare = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
const mount = 'mount -t tmpfs -o size=4m tmpfs "$1"';
const probe = spawnSync('unshare', [...unshare, 'sh', '-c', mount, 'sh', volume], { encoding: 'utf8' });
const canMount = probe.status === 0;

test.skipIf(!canMount)('a full or read-only volume loses nothing and says what it is', () => {
  const child = fileURLToPath(new URL('./helpers/storeOnSmallVolume.ts', import.meta.url));
  const script = `${mount} && exec "$2" "$3" "$1"`;
  const printed = execFileSync(
    'unshare',
    [...unshare, 'sh', '-c', script, 'sh', volume, process.execPath, child],
    {
      encoding: 'utf8',
    },
  );
  const found = JSON.parse(printed);
  // Caches stop at the reserve, pictures at a quarter of it, which sessions then use to the end.
  expect(found.caches).toMatchObject({ code: 'storage_full', details: { reserveBytes: found.reserveBytes } });
  expect(found.caches.count).toBeGreaterThan(10);
  expect(found.freeAfterCaches).toBeGreaterThanOrEqual(found.reserveBytes);
  expect(found.freeAfterCaches).toBeLessThan(found.reserveBytes + 200_000);
  expect(found.sessionAfterCaches).toBe(1);
  const keptBytes = found.reserveBytes / 4;
  expect(found.pictures).toMatchObject({ code: 'storage_full', details: { reserveBytes: keptBytes } });
  expect(found.pictures.count).toBeGreaterThan(10);
  expect(found.freeAfterPictures).toBeGreaterThanOrEqual(keptBytes);
  expect(found.freeAfterPictures).toBeLessThan(keptBytes + 40_000);
  // A write that failed halfway leaves nothing.
  expect(found.afterPictures.unfinished).toBe(0);
  expect(found.afterPictures.usage.features + found.afterPictures.usage.pixels).toBe(
    found.afterPictures.bytes,
  );
  expect(found.deletedWhileFull).toBe(true);
  expect(found.sessions.count).toBeGreaterThan(10);
  expect(found.sessions.code).toBe('storage_full');
  expect(found.update).toBe('storage_full');
  expect(found.whileFull).toMatchObject({
    blobs: found.pictures.count,
    records: found.sessionCount,
    damage: [],
  });
  expect(found.freeBeforeReopen).toBe(0);
  // Or nobody could ever delete something.
  expect(found.reopenFull).toBe('fine');
  expect(found.deleted).toBe(true);
  expect(found.afterDelete).toEqual({
    write: 'fine',
    blobs: found.pictures.count,
    records: found.sessionCount,
  });
  expect([found.readOnly, found.readOnlyNew]).toEqual(['storage_read_only', 'storage_read_only']);
  expect(found.inTheEnd).toEqual({ records: found.sessionCount, damage: [] });
});

test.runIf(!canMount)('WARNING: this machine can mount no volume, full disks are not tested here', () => {
  console.warn(`Full and read-only disks were not tested: ${probe.error?.message ?? probe.stderr}`);
  expect(canMount).toBe(false);
});
