import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyTable } from '../src/keys/keyTable.ts';

let folder: string;
const open: KeyTable[] = [];
const problems: unknown[] = [];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'keys-test-')), 'data');
});
afterEach(() => {
  for (const table of open.splice(0)) table.close();
  rmSync(join(folder, '..'), { recursive: true });
  expect(problems.splice(0)).toEqual([]);
});

const path = (): string => join(folder, 'keys.sqlite');
function openTable(): KeyTable {
  const table = new KeyTable(path(), (problem) => problems.push(problem));
  open.push(table);
  return table;
}

test.runIf(process.platform === 'linux')('a folder that cannot be made is refused', () => {
  const make = () => new KeyTable('/proc/afterimage/keys.sqlite', () => {});
  expect(make).toThrow(expect.objectContaining({ code: 'storage_unavailable' }));
});

test('a key opens its tenant, with its own limits; anything else opens nothing', () => {
  const table = openTable();
  expect(table.isEmpty).toBe(true);
  const { id, key } = table.add({ tenant: 'acme', limits: { requests: 60, tokens: null } });
  expect(table.isEmpty).toBe(false);
  expect(key).toMatch(/^ai-[0-9A-Za-z]{43}$/);
  expect(table.authenticate(key)).toEqual({
    tenant: 'acme',
    keyId: id,
    limits: { requests: 60, tokens: null },
  });
  const wrong = [...key.slice(0, -1), key.endsWith('a') ? 'b' : 'a'].join('');
  for (const other of [wrong, '', 'ai-', id, `${key} `, key.toLowerCase(), key.slice(3), 'x'.repeat(1e6)]) {
    expect(table.authenticate(other)).toBeUndefined();
  }
});

test('keys are many and never the same, 256 bits each', () => {
  const table = openTable();
  const keys = Array.from({ length: 50 }, () => table.add({ tenant: 'a' }).key);
  expect(new Set(keys).size).toBe(50);
  // 2^256 is 60 times 62^42: with all bits drawn, the first digit is hardly ever the same.
  expect(new Set(keys.map((key) => key[3])).size).toBeGreaterThan(20);
});

test("the file is its owner's, and holds no key", () => {
  const table = openTable();
  const { key, id } = table.add({ tenant: 'acme', name: 'laptop' });
  expect(table.authenticate(key)?.keyId).toBe(id);
  const names = readdirSync(folder);
  expect(names).toEqual(expect.arrayContaining(['keys.sqlite', 'keys.sqlite-wal']));
  for (const name of names) {
    expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(readFileSync(join(folder, name)).includes(key.slice(3))).toBe(false);
  }
  const today = new Date().toISOString().slice(0, 10);
  expect(table.list()).toEqual([
    {
      keyId: id,
      tenant: 'acme',
      name: 'laptop',
      limits: {},
      createdAtMs: expect.any(Number),
      lastUsedDay: today,
    },
  ]);
  expect(JSON.stringify(table.list())).not.toContain(key.slice(3));
});

test('what another process adds or revokes holds at once', () => {
  const server = openTable();
  const edit = (code: string): string => {
    const module = new URL('../src/keys/keyTable.ts', import.meta.url);
    const script = `import { KeyTable } from '${module}';
      const table = new KeyTable(process.argv[1], (problem) => { throw problem; });
      process.stdout.write(JSON.stringify(${code}));`;
    return JSON.parse(`${execFileSync(process.execPath, ['--input-type=module', '-e', script, path()])}`);
  };
  const { key, id } = edit(`table.add({ tenant: 'acme' })`) as unknown as { key: string; id: string };
  expect(server.authenticate(key)).toMatchObject({ tenant: 'acme', keyId: id });
  expect(edit(`table.revoke('${id}')`)).toBe(true);
  expect(server.authenticate(key)).toBeUndefined();
  expect(server.revoke(id)).toBe(false);
  expect(server.list()).toEqual([]);
});

test.each([
  [{ tenant: '' }, 'tenant', 'got ""'],
  [{ tenant: 'Acme' }, 'tenant', 'got "Acme"'],
  [{ tenant: 'a'.repeat(65) }, 'tenant', 'must be 1 to 64 of a-z, 0-9, _ and -'],
  [{ tenant: 'a/b' }, 'tenant', 'got "a/b"'],
  [{ tenant: 'a', name: 'n'.repeat(101) }, 'name', 'may have 100 characters, has 101'],
  [{ tenant: 'a', limits: { tokens: 0 } }, 'tokens-per-minute', 'must be a whole number from 1, got 0'],
  [{ tenant: 'a', limits: { pictures: 1.5 } }, 'pictures-per-minute', 'got 1.5'],
])('refuses %j', (options, param, problem) => {
  const table = openTable();
  let thrown: unknown;
  try {
    table.add(options);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'invalid_parameter', details: { param } });
  expect(String(thrown)).toContain(problem);
  expect(table.isEmpty).toBe(true);
});

test('a file of another program, a newer one and a damaged one are refused and left as they are', () => {
  const refused = (code: string): void => {
    const before = readFileSync(path());
    expect(() => openTable()).toThrow(expect.objectContaining({ code }));
    expect(readFileSync(path())).toEqual(before);
  };
  openTable().close();
  const other = new DatabaseSync(path());
  other.exec('PRAGMA user_version = 9');
  other.close();
  refused('storage_newer_format');
  const foreign = new DatabaseSync(path());
  foreign.exec('PRAGMA user_version = 1; PRAGMA application_id = 7');
  foreign.close();
  refused('storage_corrupt');
  writeFileSync(path(), Buffer.alloc(5_000, 'x'));
  refused('storage_corrupt');
});

test.skipIf(process.getuid?.() === 0)('a folder that cannot be written is said so', () => {
  openTable().close();
  rmSync(path());
  chmodSync(folder, 0o500);
  expect(() => openTable()).toThrow(expect.objectContaining({ code: 'storage_read_only' }));
});

test('a use that cannot be noted is told of once, and the key holds', () => {
  const table = openTable();
  const { key } = table.add({ tenant: 'acme' });
  const blocker = new DatabaseSync(path());
  blocker.exec('BEGIN IMMEDIATE');
  expect(table.authenticate(key)?.tenant).toBe('acme');
  expect(table.authenticate(key)?.tenant).toBe('acme');
  blocker.exec('ROLLBACK');
  blocker.close();
  expect(problems.splice(0)).toEqual([expect.objectContaining({ code: 'storage_unavailable' })]);
});

test('closed, it says so', () => {
  const table = openTable();
  const { key } = table.add({ tenant: 'acme' });
  table.close();
  table.close();
  expect(() => table.authenticate(key)).toThrow(expect.objectContaining({ code: 'storage_unavailable' }));
});

test('asking for a key takes microseconds', () => {
  const table = openTable();
  const keys = Array.from({ length: 20 }, () => table.add({ tenant: 'a' }).key);
  for (const key of keys) table.authenticate(key);
  const startedAt = performance.now();
  for (let n = 0; n < 5_000; n++) table.authenticate(keys[n % 20] as string);
  const eachMs = (performance.now() - startedAt) / 5_000;
  console.log(`authenticate: ${(eachMs * 1_000).toFixed(1)} us`);
  expect(eachMs).toBeLessThan(1);
});
