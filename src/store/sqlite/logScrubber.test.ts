import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '../openStore.ts';
import type { Store } from '../port.ts';

const secret = 'the zebra in the third picture';
const key = { tenant: 't', kind: 'session', id: 's' };
const value = (text: string) => Buffer.from(text.repeat(300));

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'log-scrubber-test-'));
  store = await openStore(folder, { scrubDelayMs: 20 });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Files below the folder with the secret in them. */
function holders(): string[] {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  return paths
    .filter((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(secret))
    .map(({ name }) => name);
}

const soon = { timeout: 5_000, interval: 10 };

test('what was deleted or replaced is in no file soon after', async () => {
  await store.records.compareAndSet(key, 0, value(secret), null);
  expect(holders()).not.toEqual([]);
  await store.records.compareAndSet(key, 1, value('nothing'), null);
  await expect.poll(holders, soon).toEqual([]);

  await store.records.compareAndSet(key, 2, value(secret), null);
  await store.records.delete(key);
  await expect.poll(holders, soon).toEqual([]);

  await store.records.compareAndSet(key, 0, value(secret), 1000);
  await store.records.takeExpired('session', 1000, 10);
  await expect.poll(holders, soon).toEqual([]);
});

test("an administrator's open reader delays it, and holds nothing else up", async () => {
  await store.records.compareAndSet(key, 0, value(secret), null);
  const reader = new DatabaseSync(join(folder, 'afterimage.db'));
  reader.exec('BEGIN; SELECT count(*) FROM records');
  await store.records.delete(key);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await store.records.get(key)).toBeUndefined();
  expect(holders()).not.toEqual([]);
  reader.close();
  await expect.poll(holders, soon).toEqual([]);
});
