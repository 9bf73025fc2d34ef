import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from './database.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'database-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a commit waits for the disk', () => {
  const database = openDatabase(join(folder, 'a.db'), { mustHold: false });
  const pragma = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[name];
  // 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
  expect(pragma('synchronous')).toBe(2);
  expect(pragma('journal_mode')).toBe('wal');
  database.close();
});

test("waits for another tool's lock, then says so and goes on afterwards", () => {
  const path = join(folder, 'a.db');
  openDatabase(path, { mustHold: false }).close();
  const tool = new DatabaseSync(path);
  tool.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  expect(() => openDatabase(path, { mustHold: true })).toThrow(
    expect.objectContaining({
      code: 'storage_unavailable',
      message: expect.stringContaining('database is locked'),
    }),
  );
  tool.close();
  openDatabase(path, { mustHold: true }).close();
});
