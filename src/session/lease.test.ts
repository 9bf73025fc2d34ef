import { expect, test } from 'vitest';
import { KeyedLease } from './lease.ts';

test('one holder per key, the others in order; keys do not know each other', async () => {
  const lease = new KeyedLease();
  const first = await lease.acquire('a', 0);
  expect(await lease.acquire('a', 0)).toBeUndefined();
  expect(await lease.acquire('b', 0)).toBeDefined();
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (n) => {
    const release = await lease.acquire('a', 1_000);
    order.push(n);
    release?.();
  });
  first?.();
  first?.();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
  expect(await lease.acquire('a', 0)).toBeDefined();
});

test('who waited too long gets nothing, and is not given the lease later', async () => {
  const lease = new KeyedLease();
  const first = await lease.acquire('a', 0);
  expect(await lease.acquire('a', 5)).toBeUndefined();
  first?.();
  expect(await lease.acquire('a', 0)).toBeDefined();
});
