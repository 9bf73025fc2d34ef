import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RecordStore, StoredRecord } from '../../src/store/port.ts';
import { byUtf8, freshName, nastyNames, splitNames } from './storeNames.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const ids = (records: readonly StoredRecord[]): string[] => records.map(({ key }) => key.id);

export function describeRecords(store: () => RecordStore): void {
  describe('records', () => {
    const freshKey = (id = 'i') => ({ tenant: freshName(), kind: freshName(), id });

    test('a record that was never written is not there', async () => {
      const key = freshKey();
      expect(await store().get(key)).toBeUndefined();
      expect(await store().compareAndSet(key, 1, bytes('x'), null)).toBeUndefined();
      expect(await store().touch(key, 1, 5)).toBe(false);
      expect(await store().delete(key)).toBe(false);
      expect(await store().delete(key, 1)).toBe(false);
      expect(await store().get(key)).toBeUndefined();
    });

    test('each write gives the next version, a write with another version changes nothing', async () => {
      const key = freshKey();
      expect(await store().compareAndSet(key, 0, bytes('one'), 100)).toBe(1);
      expect(await store().compareAndSet(key, 0, bytes('again'), null)).toBeUndefined();
      expect(await store().compareAndSet(key, 2, bytes('ahead'), null)).toBeUndefined();
      expect(await store().get(key)).toEqual({ key, version: 1, value: bytes('one'), expiresAtMs: 100 });
      expect(await store().compareAndSet(key, 1, bytes('two'), null)).toBe(2);
      expect(await store().compareAndSet(key, 1, bytes('behind'), 7)).toBeUndefined();
      expect(await store().get(key)).toEqual({ key, version: 2, value: bytes('two'), expiresAtMs: null });
    });

    test('of concurrent writers exactly one wins, 2,000 times', async () => {
      for (let race = 0, key = freshKey(), version = 0; race < 2000; race++, version++) {
        if (race % 50 === 0) [key, version] = [freshKey(), 0];
        const writers = Array.from({ length: 2 + (race % 19) }, (_, writer) => bytes(`${race}/${writer}`));
        const results = await Promise.all(
          writers.map((value) => store().compareAndSet(key, version, value, null)),
        );
        const winners = writers.filter((_, writer) => results[writer] !== undefined);
        expect(winners).toHaveLength(1);
        expect(await store().get(key)).toEqual({
          key,
          version: version + 1,
          value: winners[0],
          expiresAtMs: null,
        });
      }
    });

    test('touch moves the expiry and nothing else', async () => {
      const key = freshKey();
      await store().compareAndSet(key, 0, bytes('x'), 100);
      expect(await store().touch(key, 2, 200)).toBe(false);
      expect((await store().get(key))?.expiresAtMs).toBe(100);
      expect(await store().touch(key, 1, 300)).toBe(true);
      expect(await store().get(key)).toEqual({ key, version: 1, value: bytes('x'), expiresAtMs: 300 });
      expect(await store().takeExpired(key.kind, 200, 10)).toEqual([]);
      expect(await store().touch(key, 1, null)).toBe(true);
      expect(await store().takeExpired(key.kind, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
      expect(await store().compareAndSet(key, 1, bytes('y'), null)).toBe(2);
    });

    test('deletes the version that is named, or any', async () => {
      const key = freshKey();
      await store().compareAndSet(key, 0, bytes('x'), null);
      expect(await store().delete(key, 2)).toBe(false);
      expect(await store().get(key)).toBeDefined();
      expect(await store().delete(key, 1)).toBe(true);
      expect(await store().get(key)).toBeUndefined();
      expect(await store().compareAndSet(key, 0, bytes('y'), null)).toBe(1);
      expect(await store().delete(key)).toBe(true);
      expect(await store().delete(key)).toBe(false);
    });

    test('an expired record is there until it is taken, oldest first, at most `limit`', async () => {
      const { kind } = freshKey();
      const key = (id: string) => ({ tenant: `t${id}`, kind, id });
      const expiries = { c: 30, a: 10, never: null, d: 40, b: 20, e: 50 };
      for (const [id, at] of Object.entries(expiries)) {
        await store().compareAndSet(key(id), 0, bytes(id), at);
        await store().compareAndSet({ ...key(id), kind: `${kind}x` }, 0, bytes('other kind'), at);
      }
      expect(await store().get(key('a'))).toBeDefined();
      expect(await store().list('ta', kind, { limit: 9 })).toHaveLength(1);
      expect(await store().takeExpired(kind, 9, 10)).toEqual([]);
      expect(await store().takeExpired(kind, 40, 0)).toEqual([]);
      expect(ids(await store().listExpired(kind, 40, 3))).toEqual(['a', 'b', 'c']);
      expect(await store().listExpired(kind, 9, 3)).toEqual([]);
      expect(await store().takeExpired(kind, 40, 3)).toEqual(
        ['a', 'b', 'c'].map((id, index) => ({
          key: key(id),
          version: 1,
          value: bytes(id),
          expiresAtMs: 10 + index * 10,
        })),
      );
      expect(await store().get(key('a'))).toBeUndefined();
      expect(ids(await store().takeExpired(kind, 40, 3))).toEqual(['d']);
      expect(await store().takeExpired(kind, 40, 3)).toEqual([]);
      expect(await store().count(kind)).toBe(2);
      expect(await store().count(`${kind}x`)).toBe(6);
    });

    test('several sweeps at once take each record once', async () => {
      const { tenant, kind } = freshKey();
      for (let id = 0; id < 60; id++) {
        await store().compareAndSet({ tenant, kind, id: `${id}` }, 0, bytes(`${id}`), id);
      }
      const sweeps = await Promise.all(Array.from({ length: 6 }, () => store().takeExpired(kind, 100, 15)));
      const taken = sweeps.flatMap(ids);
      expect(taken).toHaveLength(60);
      expect(new Set(taken).size).toBe(60);
    });

    test('lists in order of UTF-8, page by page', async () => {
      const { tenant, kind } = freshKey();
      const names = ['', ...nastyNames];
      for (const id of names) await store().compareAndSet({ tenant, kind, id }, 0, bytes(id), null);
      const sorted = names.toSorted(byUtf8);
      for (const limit of [1, 7, names.length, 1000]) {
        const seen: string[] = [];
        // Bounded: a page that repeats its last record must fail, not go on for ever.
        while (seen.length <= names.length) {
          const afterId = seen.at(-1);
          const page = await store().list(tenant, kind, { ...(afterId !== undefined && { afterId }), limit });
          expect(page.length).toBeLessThanOrEqual(limit);
          seen.push(...ids(page));
          if (page.length < limit) break;
        }
        expect(seen).toEqual(sorted);
      }
      expect(await store().list(tenant, kind, { limit: 0 })).toEqual([]);
      expect(ids(await store().list(tenant, kind, { afterId: 'x', limit: 1 }))).toEqual(['x'.repeat(5000)]);
      for (const record of await store().list(tenant, kind, { limit: 1000 })) {
        expect(record).toEqual({
          key: { tenant, kind, id: record.key.id },
          version: 1,
          value: bytes(record.key.id),
          expiresAtMs: null,
        });
      }
    });

    test('no name reaches the record of another', async () => {
      const { kind } = freshKey();
      const pairs = [
        ...nastyNames.flatMap((name) => [[name, 'a'] as const, ['b', name] as const]),
        ...splitNames,
      ];
      const names = [...new Map(pairs.map((pair) => [JSON.stringify(pair), pair])).values()];
      for (const [index, [tenant, id]] of names.entries()) {
        expect(await store().compareAndSet({ tenant, kind, id }, 0, bytes(`${index}`), index)).toBe(1);
      }
      for (const [index, [tenant, id]] of names.entries()) {
        const key = { tenant, kind, id };
        expect(await store().get(key)).toEqual({
          key,
          version: 1,
          value: bytes(`${index}`),
          expiresAtMs: index,
        });
        const own = names.filter(([other]) => other === tenant).map(([, id]) => id);
        expect(ids(await store().list(tenant, kind, { limit: 1000 }))).toEqual(own.toSorted(byUtf8));
      }
      expect(await store().count(kind)).toBe(names.length);
      const taken = await store().takeExpired(kind, names.length, 1000);
      expect(taken.map(({ key }) => [key.tenant, key.id])).toEqual(names);
    });

    test('a name without UTF-8 is refused, not folded into another', async () => {
      for (const key of [freshKey('\ud800'), { ...freshKey(), tenant: 'a\udc00' }]) {
        const wrong = { code: 'invalid_parameter' };
        await expect(store().get(key)).rejects.toMatchObject(wrong);
        await expect(store().compareAndSet(key, 0, bytes('x'), null)).rejects.toMatchObject(wrong);
        await expect(store().delete(key)).rejects.toMatchObject(wrong);
        expect(await store().count(key.kind)).toBe(0);
      }
    });

    test.each([0, 1, 10_000_000])('keeps %i bytes as they are, in an array of their own', async (length) => {
      const key = freshKey();
      const value = new Uint8Array(randomBytes(length));
      const given = Uint8Array.from(value);
      expect(await store().compareAndSet(key, 0, given, null)).toBe(1);
      given.fill(0);
      for (let time = 0; time < 2; time++) {
        const record = await store().get(key);
        expect(Buffer.compare(record?.value as Uint8Array, value)).toBe(0);
        record?.value.fill(1);
      }
      expect(await store().delete(key, 1)).toBe(true);
    });

    test('writes the part of a buffer that it was given', async () => {
      const key = freshKey();
      const value = bytes('left|middle|right').subarray(5, 11);
      await store().compareAndSet(key, 0, value, null);
      expect((await store().get(key))?.value).toEqual(bytes('middle'));
    });
  });
}
