import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

const take = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

test('the first try is at once, later waits double up to the limit, a success starts over', () => {
  const backoff = new Backoff();
  expect(take(backoff, 10)).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  backoff.succeeded();
  expect(take(backoff, 2)).toEqual([0, 250]);
});

test('waits stay finite for as long as it goes on', () => {
  const backoff = new Backoff({ baseMs: 1, maxMs: 5 });
  expect(take(backoff, 3000).at(-1)).toBe(5);
});
