import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AsyncQueue } from './asyncQueue.ts';

async function readAll<T extends object>(queue: AsyncQueue<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

describe('AsyncQueue', () => {
  test('keeps order whichever side is faster', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 40 }), async (pauses) => {
        const queue = new AsyncQueue<{ index: number }>();
        const reading = readAll(queue);
        for (const [index, pause] of pauses.entries()) {
          queue.push({ index });
          if (pause) await Promise.resolve();
        }
        queue.end();
        expect(await reading).toEqual([...pauses.keys()].map((index) => ({ index })));
      }),
      { numRuns: 50 },
    );
  });

  test('an end lets the reader take the rest, an error goes first', async () => {
    const ended = new AsyncQueue<{ n: number }>();
    ended.push({ n: 1 });
    ended.end();
    ended.fail(new Error('too late'));
    expect(await readAll(ended)).toEqual([{ n: 1 }]);

    const failed = new AsyncQueue<{ n: number }>();
    failed.push({ n: 1 });
    failed.fail(new Error('now'));
    failed.push({ n: 2 });
    await expect(failed.next()).rejects.toThrow('now');
  });

  test('a waiting reader is woken by an error', async () => {
    const queue = new AsyncQueue<{ n: number }>();
    const waiting = queue.next();
    queue.fail(undefined);
    await expect(waiting).rejects.toBeUndefined();
  });
});
