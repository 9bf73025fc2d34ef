import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkFormat, migrate } from '../../files/migrate.ts';
import { applicationId } from './migrations.ts';

let database: DatabaseSync;
beforeEach(() => {
  database = new DatabaseSync(':memory:');
});
afterEach(() => database.close());

const first = `PRAGMA application_id = ${applicationId}; CREATE TABLE a (x INTEGER NOT NULL) STRICT; INSERT INTO a VALUES (1)`;
const second = 'CREATE TABLE b (y INTEGER NOT NULL) STRICT; INSERT INTO b SELECT x + 1 FROM a';
const format = () => database.prepare('PRAGMA user_version').get()?.user_version;
const check = (mustHold: boolean, supported = 2) =>
  checkFormat(database, 'my.db', { mustHold, supported, applicationId });

test('runs the steps a database has not seen, and none twice', () => {
  migrate(database, [first]);
  expect(format()).toBe(1);
  database.exec('INSERT INTO a VALUES (10)');
  check(true);
  migrate(database, [first, second]);
  migrate(database, [first, second]);
  expect(format()).toBe(2);
  expect(database.prepare('SELECT y FROM b ORDER BY y').all()).toMatchObject([{ y: 2 }, { y: 11 }]);
  check(true);
});

test('a step that fails leaves the database as it was', () => {
  migrate(database, [first]);
  expect(() => migrate(database, [first, `${second}; INSERT INTO missing VALUES (1)`])).toThrow(
    'no such table',
  );
  expect(format()).toBe(1);
  expect(database.prepare('SELECT name FROM sqlite_schema').all()).toMatchObject([{ name: 'a' }]);
  migrate(database, [first, second]);
  expect(format()).toBe(2);
});

test('a newer format is refused', () => {
  migrate(database, [first, second]);
  expect(() => check(true, 1)).toThrow('my.db has format 2, this version reads up to 1.');
});

test('an empty database is a new one, unless it must hold records', () => {
  check(false);
  expect(() => check(true)).toThrow('my.db is damaged: its tables are missing.');
});

test("another program's database is left alone", () => {
  database.exec('CREATE TABLE theirs (x)');
  expect(() => check(false)).toThrow('it is a database of another program');
  database.exec('PRAGMA user_version = 1');
  expect(() => check(false)).toThrow('it is a database of another program');
});
