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

test('who gave up waiting is not waited for', async () => {
  const lease = new KeyedLease();
  const first = await lease.acquire('a', 0);
  const controller = new AbortController();
  const second = expect(lease.acquire('a', 60_000, controller.signal)).rejects.toThrow('left');
  const third = lease.acquire('a', 60_000);
  controller.abort(new Error('left'));
  await second;
  first?.();
  expect(await third).toBeDefined();
  await expect(lease.acquire('b', 0, controller.signal)).rejects.toThrow('left');
  expect(lease.held('b')).toBe(false);
});

test('who waited too long gets nothing, and is not given the lease later', async () => {
  const lease = new KeyedLease();
  const first = await lease.acquire('a', 0);
  expect(await lease.acquire('a', 5)).toBeUndefined();
  first?.();
  expect(await lease.acquire('a', 0)).toBeDefined();
});
