import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordStore, StoredRecord } from '../../src/store/port.ts';
import { byUtf8, freshName } from './storeNames.ts';

const names = fc.constantFrom('a', 'b', 'ab', '\0', '😀', '\uffff');
const key = fc.record({ tenant: names, id: names });
const version = fc.nat(4);
const expiry = fc.option(fc.nat(20));

const step = fc.oneof(
  fc.record({
    call: fc.constant('set' as const),
    key,
    version,
    expiry,
    value: fc.uint8Array({ maxLength: 8 }),
  }),
  fc.record({ call: fc.constant('touch' as const), key, version, expiry }),
  fc.record({ call: fc.constant('delete' as const), key, version: fc.option(version, { nil: undefined }) }),
  fc.record({
    call: fc.constant('all' as const),
    writes: fc.array(fc.record({ key, version, expiry, value: fc.option(fc.uint8Array({ maxLength: 8 })) }), {
      maxLength: 5,
    }),
  }),
  fc.record({ call: fc.constant('take' as const), nowMs: fc.nat(20), limit: fc.nat(4) }),
  fc.record({
    call: fc.constant('list' as const),
    tenant: names,
    afterId: fc.option(names, { nil: undefined }),
    limit: fc.nat(4),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The store and a Map see the same calls; answers and what is left must be the same. */
export function describeRecordModel(store: () => RecordStore): void {
  test('records behave as a Map does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const kind = freshName();
        const model = new Map<string, StoredRecord>();
        for (const step of steps) await runStep(step, kind, store(), model);
        expect(await store().count(kind)).toBe(model.size);
        for (const record of model.values()) expect(await store().get(record.key)).toEqual(record);
      }),
      { numRuns: 100 },
    );
  });
}

async function runStep(
  step: Step,
  kind: string,
  store: RecordStore,
  model: Map<string, StoredRecord>,
): Promise<void> {
  const nameOf = ({ tenant, id }: { tenant: string; id: string }): string => JSON.stringify([tenant, id]);
  const records = [...model.values()];
  switch (step.call) {
    case 'set': {
      const fullKey = { ...step.key, kind };
      const matches = (model.get(nameOf(step.key))?.version ?? 0) === step.version;
      const version = step.version + 1;
      const written = await store.compareAndSet(fullKey, step.version, step.value, step.expiry);
      expect(written).toBe(matches ? version : undefined);
      if (matches) {
        model.set(nameOf(step.key), { key: fullKey, version, value: step.value, expiresAtMs: step.expiry });
      }
      return;
    }
    case 'all': {
      const writes = step.writes.map(({ key, version, expiry, value }) => ({
        key: { ...key, kind },
        expectedVersion: version,
        value,
        expiresAtMs: expiry,
      }));
      const expected = writes.map(({ key, expectedVersion, value, expiresAtMs }) => {
        const known = model.get(nameOf(key))?.version ?? 0;
        // There is nothing to delete of version 0.
        const matches = known === expectedVersion && !(value === null && known === 0);
        if (matches && value === null) model.delete(nameOf(key));
        else if (matches && value) {
          model.set(nameOf(key), { key, version: expectedVersion + 1, value, expiresAtMs });
        }
        return matches;
      });
      expect(await store.writeAll(writes)).toEqual(expected);
      return;
    }
    case 'touch': {
      const record = model.get(nameOf(step.key));
      const matches = record?.version === step.version;
      expect(await store.touch({ ...step.key, kind }, step.version, step.expiry)).toBe(matches);
      if (matches) model.set(nameOf(step.key), { ...record, expiresAtMs: step.expiry });
      return;
    }
    case 'delete': {
      const record = model.get(nameOf(step.key));
      const matches = record !== undefined && (step.version ?? record.version) === record.version;
      expect(await store.delete({ ...step.key, kind }, step.version)).toBe(matches);
      if (matches) model.delete(nameOf(step.key));
      return;
    }
    case 'take': {
      const expired = records.filter(({ expiresAtMs }) => expiresAtMs !== null && expiresAtMs <= step.nowMs);
      const times = expired.map(({ expiresAtMs }) => Number(expiresAtMs)).sort((a, b) => a - b);
      const taken = await store.takeExpired(kind, step.nowMs, step.limit);
      // Which of those that expired together go first is left open.
      expect(taken.map(({ expiresAtMs }) => expiresAtMs)).toEqual(times.slice(0, step.limit));
      for (const record of taken) {
        expect(record).toEqual(model.get(nameOf(record.key)));
        model.delete(nameOf(record.key));
      }
      return;
    }
    case 'list': {
      const { tenant, afterId, limit } = step;
      const expected = records
        .filter(({ key }) => key.tenant === tenant && (afterId === undefined || byUtf8(key.id, afterId) > 0))
        .sort((a, b) => byUtf8(a.key.id, b.key.id));
      const options = afterId === undefined ? { limit } : { afterId, limit };
      expect(await store.list(tenant, kind, options)).toEqual(expected.slice(0, limit));
      return;
    }
  }
}
