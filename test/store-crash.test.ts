import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openStore } from '../src/store/openStore.ts';
import type { Store } from '../src/store/port.ts';
import { blobKey, blobValue, keyCount, recordKey, recordValue, writeOf } from './helpers/storeWriter.ts';

const writer = fileURLToPath(new URL('./helpers/storeWriter.ts', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'store-crash-test-'));
const folder = join(temporary, 'data');
const env = { ...process.env, NODE_COMPILE_CACHE: join(temporary, 'compiled') };
afterAll(() => rmSync(temporary, { recursive: true }));

/** Kills a writer a moment after it said `count` lines of a kind, or before it can have said any; gives what it said. */
async function runAndKill(after: { kind: string; count: number } | 'start'): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let said = '';
  const saidEnough = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (after !== 'start' && said.split(after.kind).length > after.count) resolve();
    });
  });
  if (after === 'start') await sleep(50 + Math.random() * 200);
  else await Promise.race([saidEnough, closed]);
  await sleep(Math.random() * 10);
  child.kill('SIGKILL');
  expect(await closed, said).toEqual([null, 'SIGKILL']);
  // A last line without its end was not said.
  return said.split('\n').slice(0, -1);
}

/**
 * The last write of each key that the store holds must be the last that was acknowledged; one more may be there, the one
 * that was under way.
 */
function expectKept(acknowledged: number, held: readonly (number | undefined)[]): number {
  const next = acknowledged + 1;
  for (const [key, write] of held.entries()) {
    const last = acknowledged < key ? undefined : acknowledged - ((acknowledged - key) % keyCount);
    const allowed = next % keyCount === key ? [last, next] : [last];
    expect(allowed, `key ${key}, ${acknowledged} acknowledged`).toContain(write);
  }
  return held.includes(next) ? next : acknowledged;
}

async function heldRecords(store: Store): Promise<(number | undefined)[]> {
  return Promise.all(
    Array.from({ length: keyCount }, async (_, key) => {
      const record = await store.records.get(recordKey(key));
      if (!record) return undefined;
      const write = writeOf(record.value, recordValue);
      if (write === undefined) throw new Error(`record ${key} is not whole`);
      expect(record.version).toBe(Math.floor(write / keyCount) + 1);
      return write;
    }),
  );
}

async function heldBlobs(store: Store): Promise<(number | undefined)[]> {
  return Promise.all(
    Array.from({ length: keyCount }, async (_, key) => {
      const value = await store.blobs.get(blobKey(key));
      if (!value) return undefined;
      const write = writeOf(value, blobValue);
      if (write === undefined) throw new Error(`blob ${key} is not whole`);
      return write;
    }),
  );
}

test('kill -9 at 50 moments loses no acknowledged write, leaves no half one and no lock', async () => {
  let [record, blob] = [-1, -1];
  for (let round = 0; round < 50; round++) {
    const after = [
      'start' as const,
      { kind: 'open', count: 1 },
      { kind: 'record', count: 1 + Math.floor(Math.random() * 20) },
      { kind: 'blob', count: 1 + Math.floor(Math.random() * 2) },
      { kind: 'blob', count: 1 },
    ][round % 5] as Parameters<typeof runAndKill>[0];
    const lines = await runAndKill(after);
    const last = (kind: string, before: number): number =>
      Number(lines.findLast((line) => line.startsWith(kind))?.split(' ')[1] ?? before);
    const store = await openStore(folder, { onDamage: ({ path }) => expect.unreachable(path) });
    record = expectKept(last('record', record), await heldRecords(store));
    blob = expectKept(last('blob', blob), await heldBlobs(store));
    expect(await store.checkIntegrity()).toEqual([]);
    const files = readdirSync(join(folder, 'blobs'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await store.close();
  }
  expect(record).toBeGreaterThanOrEqual(10);
  expect(blob).toBeGreaterThanOrEqual(19);
}, 180_000);

test('a folder is free the moment its owner is killed', async () => {
  const child = spawn(process.execPath, [writer, folder], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await expect(openStore(folder)).rejects.toMatchObject({
    code: 'storage_locked',
    message: expect.stringContaining(`pid ${child.pid} on `),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await openStore(folder)).close();
});
