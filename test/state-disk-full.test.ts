import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const volume = mkdtempSync(join(tmpdir(), 'state-disk-full-test-'));
afterAll(() => rmdirSync(volume));

/** A mount namespace of its own: whatever happens to the test, the volume is gone with the process. */
const unshare = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
const mount = (size: string): string => `mount -t tmpfs -o size=${size} tmpfs "$1"`;
const probe = spawnSync('unshare', [...unshare, 'sh', '-c', mount('4m'), 'sh', volume], { encoding: 'utf8' });
const canMount = probe.status === 0;

/** What a helper printed that ran in a mount namespace of its own, on a new volume. */
function runOnVolume(helper: string, size: string) {
  const child = fileURLToPath(new URL(`./helpers/${helper}`, import.meta.url));
  const command = [
    'sh',
    '-c',
    `${mount(size)} && exec "$2" "$3" "$1"`,
    'sh',
    volume,
    process.execPath,
    child,
  ];
  return JSON.parse(execFileSync('unshare', [...unshare, ...command], { encoding: 'utf8' }));
}

test.skipIf(!canMount)(
  'on a small volume the newest stay, the reserve stays free, and others find room',
  () => {
    const found = runOnVolume('stateDiskOnSmallVolume.ts', '4m');
    expect(found.kept).toBeGreaterThan(5);
    expect(found).toMatchObject({ newestAreKept: true, readable: found.kept, files: found.kept });
    expect(found.freeAtReserve).toBeGreaterThan(found.reserveBytes - 100_000);
    expect(found.freeAtReserve).toBeLessThan(found.reserveBytes + 2 * found.bodyBytes);
    expect(found.freeWithBallast).toBeLessThan(4096);
    expect(found.readWhenFull).toBe(found.bodyBytes);
    expect(found.yielded).toBeGreaterThan(0);
    expect(found.freeAfterYield).toBeGreaterThanOrEqual(found.reserveBytes);
    expect(found.objectsInTheEnd).toBe(0);
    expect(found).toMatchObject({ writeWhenFull: 'storage_full', writeAfterwards: 'fine' });
    expect(Object.values(found.refused)).toEqual([0, 0, 0, 0, 0]);
  },
);

test.skipIf(!canMount)(
  'an engine on a full disk answers on, and writes state down again when there is space',
  { timeout: 60_000 },
  () => {
    const found = runOnVolume('engineOnSmallVolume.ts', '16m');
    const { before, whileFull, afterwards, restarted } = found;
    expect(before.diskBytes).toBeGreaterThan(0);
    expect(before.failures).toBe(0);
    expect(whileFull.failures).toBeGreaterThan(0);
    expect(whileFull.diskBytes).toBeLessThanOrEqual(before.diskBytes);
    expect(afterwards.diskBytes).toBeGreaterThan(whileFull.diskBytes);
    expect(afterwards.answers).toEqual(whileFull.answers);
    expect(restarted).toEqual({ tier: 'disk', answer: whileFull.answers[0] });
  },
);

test.runIf(!canMount)('WARNING: this machine can mount no volume, full disks are not tested here', () => {
  console.warn(`Full disks were not tested: ${probe.error?.message ?? probe.stderr}`);
  expect(canMount).toBe(false);
});
