import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openStateDisk as openDisk } from './helpers/stateDisks.ts';

const writer = fileURLToPath(new URL('./helpers/stateDiskWriter.ts', import.meta.url));

/** Kills a writer a moment after it said so many lines; gives what it said. */
async function runAndKill(folder: string, round: number, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder, `${round}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let said = '';
  const saidEnough = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.split('\n').length > lines) resolve();
    });
  });
  await Promise.race([saidEnough, closed]);
  await sleep(Math.random() * 20);
  child.kill('SIGKILL');
  expect(await closed, said).toEqual([null, 'SIGKILL']);
  return said.split('\n').slice(0, -1);
}

test('kill -9 at 20 moments: what was written is there, what was forgotten is not, and nothing else is left', {
  timeout: 240_000,
}, async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'state-disk-crash-')), 'state');
  const live = new Map<string, string>();
  for (let round = 0; round < 20; round++) {
    for (const line of await runAndKill(folder, round, 1 + (round % 7) * 2)) {
      const [verb, first, second] = line.split(' ') as [string, string, string];
      if (verb === 'write') live.set(second, first);
      if (verb === 'forget') for (const [id, session] of live) if (session === first) live.delete(id);
    }
    const disk = await openDisk(folder);
    const found = new Map<string, unknown>();
    await disk.scan(({ id, meta }) => found.set(id, meta));
    // The call under way may have done its work without having said so: one object more, or all of the last session's gone.
    const lost = [...live].filter(([id]) => !found.has(id));
    const more = [...found].filter(([id]) => !live.has(id));
    expect(lost.length).toBeLessThanOrEqual(1);
    expect(more.length).toBeLessThanOrEqual(1);
    for (const [id, session] of found) {
      expect([id, session]).toEqual([id, live.get(id) ?? session]);
      expect(await disk.read(id)).toBeDefined();
    }
    for (const [id] of lost) live.delete(id);
    for (const [id, session] of more) live.set(id, session as string);
    expect(Object.values(disk.stats.refused)).toEqual([0, 0, 0, 0, 0]);
    await disk.close();
    expect(readdirSync(join(folder, 'objects')).sort()).toEqual([...found.keys()].sort());
  }
  expect(live.size).toBeGreaterThan(20);
  rmSync(dirname(folder), { recursive: true });
});
