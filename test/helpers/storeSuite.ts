import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/port.ts';
import { describeBlobs } from './blobSuite.ts';
import { describeRecordModel } from './recordModel.ts';
import { describeRecords } from './recordSuite.ts';
import { freshName } from './storeNames.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Opens the same data again after `store.close()`; left out where a store doesn't outlive its process. */
  readonly reopen?: () => Promise<Store>;
}

/**
 * What every store promises. `make` gives an open store, which may hold anything; the suite closes it. Most tests share one
 * and use names of their own.
 */
export function describeStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a store`, () => {
    let shared: Store;
    beforeAll(async () => {
      shared = (await make()).store;
    });
    afterAll(() => shared.close());

    describeRecords(() => shared.records);
    describeRecordModel(() => shared.records);
    describeBlobs(() => shared.blobs);

    test('finds no damage where there is none', async () => {
      expect(await shared.checkIntegrity()).toEqual([]);
    });

    test('closes after the writes under way, then refuses every call', async () => {
      const { store, reopen } = await make();
      const [tenant, kind] = [freshName(), freshName()];
      const key = { tenant, kind, id: 'i' };
      const blob = { tenant, area: 'pixels', id: 'i' };
      const value = new Uint8Array(2_000_000).fill(7);
      const written = Promise.all([
        store.records.compareAndSet(key, 0, value, 5),
        store.blobs.put(blob, value),
      ]);
      await Promise.all([store.close(), store.close()]);
      expect(await written).toEqual([1, undefined]);
      await store.close();

      const { records, blobs } = store;
      const calls: (() => Promise<unknown>)[] = [
        () => records.get(key),
        () => records.compareAndSet(key, 1, value, null),
        () => records.touch(key, 1, null),
        () => records.delete(key),
        () => records.list(tenant, kind, { limit: 1 }),
        () => records.takeExpired(kind, 10, 1),
        () => records.count(kind),
        () => blobs.put(blob, value),
        () => blobs.get(blob),
        () => blobs.delete(blob),
        () => blobs.list(tenant, 'pixels'),
        () => blobs.usage(),
        () => store.checkIntegrity(),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'storage_unavailable' });

      if (!reopen) return;
      const again = await reopen();
      expect(await again.records.get(key)).toEqual({ key, version: 1, value, expiresAtMs: 5 });
      expect(await again.blobs.get(blob)).toEqual(value);
      expect(await again.blobs.list(tenant, 'pixels')).toEqual(['i']);
      expect((await again.blobs.usage()).pixels).toBeGreaterThanOrEqual(value.length);
      expect(await again.records.takeExpired(kind, 5, 10)).toHaveLength(1);
      await again.close();
    });
  });
}
