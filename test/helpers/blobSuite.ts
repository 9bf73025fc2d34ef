import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlobStore } from '../../src/store/port.ts';
import { byUtf8, freshName, nastyNames, splitNames } from './storeNames.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
/** What an adapter may add to one blob, besides its names. */
const maxOverheadBytes = 1024;

export function describeBlobs(store: () => BlobStore): void {
  describe('blobs', () => {
    const freshKey = () => ({ tenant: freshName(), area: 'pixels', id: 'i' });
    const usedBytes = async (area: string): Promise<number> => (await store().usage())[area] ?? 0;

    test('a blob that was never put is not there', async () => {
      const key = freshKey();
      expect(await store().get(key)).toBeUndefined();
      expect(await store().delete(key)).toBe(false);
      expect(await store().list(key.tenant, key.area)).toEqual([]);
    });

    test('put replaces, delete removes', async () => {
      const key = freshKey();
      await store().put(key, bytes('one'));
      await store().put(key, bytes('and two'));
      expect(await store().get(key)).toEqual(bytes('and two'));
      await store().put(key, bytes('3'));
      expect(await store().get(key)).toEqual(bytes('3'));
      expect(await store().list(key.tenant, key.area)).toEqual(['i']);
      expect(await store().delete(key)).toBe(true);
      expect(await store().get(key)).toBeUndefined();
      expect(await store().list(key.tenant, key.area)).toEqual([]);
      expect(await store().delete(key)).toBe(false);
    });

    test.each([0, 1, 1 << 20, (1 << 20) + 1, 10_000_000])('keeps %i bytes as they are', async (length) => {
      const key = freshKey();
      const value = new Uint8Array(randomBytes(length));
      await store().put(key, value);
      expect(Buffer.compare((await store().get(key)) as Uint8Array, value)).toBe(0);
      expect(await store().delete(key)).toBe(true);
    });

    test('a reader sees an old or a new blob, whole', async () => {
      const key = freshKey();
      const versions = [1, 2, 3].map((fill) => new Uint8Array(1_000_000 * fill + 1).fill(fill));
      await store().put(key, versions[0] as Uint8Array);
      let writing = true;
      const write = async (): Promise<void> => {
        for (let round = 0; round < 20; round++) {
          await store().put(key, versions[round % versions.length] as Uint8Array);
        }
        writing = false;
      };
      const seen = new Set<number>();
      const read = async (): Promise<void> => {
        while (writing) {
          const value = (await store().get(key)) as Uint8Array;
          const fill = value[0] as number;
          expect(Buffer.compare(value, versions[fill - 1] as Uint8Array)).toBe(0);
          seen.add(fill);
        }
      };
      await Promise.all([write(), read(), read()]);
      expect(seen.size).toBeGreaterThan(1);
    });

    test('of writes at once the last one given stays', async () => {
      const key = freshKey();
      const before = await usedBytes('pixels');
      const sizes = Array.from({ length: 30 }, (_, index) => ((index * 7919) % 30) * 1000);
      await Promise.all([
        ...sizes.map((size) => store().put(key, new Uint8Array(size))),
        store().delete(key),
        store().put(key, bytes('last')),
      ]);
      expect(await store().get(key)).toEqual(bytes('last'));
      expect((await usedBytes('pixels')) - before).toBeLessThan(maxOverheadBytes);
    });

    test('adds up the bytes of each area', async () => {
      const tenant = freshName();
      const key = (area: string) => ({ tenant, area, id: 'i' });
      const [pixels, upload] = [await usedBytes('pixels'), await usedBytes('upload')];
      const grown = async (): Promise<number> => (await usedBytes('pixels')) - pixels;
      await store().put(key('pixels'), new Uint8Array(5000));
      const first = await grown();
      expect(first).toBeGreaterThanOrEqual(5000);
      expect(first).toBeLessThan(5000 + maxOverheadBytes);
      await store().put(key('pixels'), new Uint8Array(3000));
      expect(await grown()).toBe(first - 2000);
      expect(await usedBytes('upload')).toBe(upload);
      await store().delete(key('pixels'));
      expect(await grown()).toBe(0);
    });

    test('no name reaches the blob of another', async () => {
      const prefix = freshName();
      const pairs = [
        ...nastyNames.flatMap((name) => [[prefix + name, 'a'] as const, [prefix, name] as const]),
        ...splitNames.map(([tenant, id]) => [prefix + tenant, id] as const),
      ];
      const names = [...new Map(pairs.map((pair) => [JSON.stringify(pair), pair])).values()];
      const area = (index: number): string => (index % 2 ? 'pixels' : 'upload');
      for (const [index, [tenant, id]] of names.entries()) {
        await store().put({ tenant, area: area(index), id }, bytes(`${index}`));
      }
      for (const [index, [tenant, id]] of names.entries()) {
        expect(await store().get({ tenant, area: area(index), id })).toEqual(bytes(`${index}`));
        expect(await store().get({ tenant, area: area(index + 1), id })).toBeUndefined();
      }
      for (const [tenant] of names) {
        for (const parity of [0, 1]) {
          const own = names.filter(([other], index) => other === tenant && index % 2 === parity);
          const listed = await store().list(tenant, area(parity));
          expect(listed.sort(byUtf8)).toEqual(own.map(([, id]) => id).sort(byUtf8));
        }
      }
      for (const [index, [tenant, id]] of names.entries()) {
        expect(await store().delete({ tenant, area: area(index), id })).toBe(true);
      }
    });

    test('a name without UTF-8 is refused', async () => {
      const key = { ...freshKey(), id: '\ud800' };
      await expect(store().put(key, bytes('x'))).rejects.toMatchObject({ code: 'invalid_parameter' });
      await expect(store().get(key)).rejects.toMatchObject({ code: 'invalid_parameter' });
    });

    test('blobs behave as a Map does', async () => {
      const names = fc.constantFrom('a', 'b', 'ab');
      const call = fc.record({
        tenant: names,
        id: names,
        value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(call, { maxLength: 20 }), async (calls) => {
          const prefix = freshName();
          const model = new Map<string, Uint8Array>();
          for (const { tenant, id, value } of calls) {
            const key = { tenant: prefix + tenant, area: 'upload', id };
            const name = `${tenant}/${id}`;
            if (value) await store().put(key, value);
            else expect(await store().delete(key)).toBe(model.has(name));
            if (value) model.set(name, value);
            else model.delete(name);
            expect(await store().get(key)).toEqual(value);
          }
          for (const tenant of ['a', 'b', 'ab']) {
            const ids = [...model.keys()].filter((name) => name.startsWith(`${tenant}/`));
            const listed = await store().list(prefix + tenant, 'upload');
            expect(listed.map((id) => `${tenant}/${id}`).sort()).toEqual(ids.sort());
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}
