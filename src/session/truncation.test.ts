import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoredItem } from './items.ts';
import { droppableCounts, itemsToDrop, withoutOldest } from './truncation.ts';

const said = (role: 'user' | 'assistant' | 'system'): StoredItem => ({
  place: '1i0',
  type: 'message',
  role,
  content: [],
});
const call = (callId: string): StoredItem => ({
  place: '1i0',
  type: 'function_call',
  callId,
  name: 'f',
  arguments: '{}',
});
const output = (callId: string): StoredItem => ({
  place: '1i0',
  type: 'function_call_output',
  callId,
  output: '',
});
const reasoning: StoredItem = { place: '1i0', type: 'reasoning', summary: [], text: null };

test('what belongs together goes together, system messages and reasoning do not count', () => {
  const items = [
    said('system'),
    said('user'),
    reasoning,
    said('assistant'),
    call('a'),
    call('b'),
    output('b'),
    output('a'),
    said('user'),
    call('c'),
    output('c'),
  ];
  expect(droppableCounts(items, items.length)).toEqual([1, 6, 7, 9]);
  // A call stays when its output is not of the context.
  expect(droppableCounts(items, 10)).toEqual([1, 6, 7]);
  expect(droppableCounts(items, 0)).toEqual([]);
  expect(withoutOldest(items, 7)).toEqual([said('system'), reasoning, call('c'), output('c')]);
});

test('the fewest items are left out that make room, found in few counts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 20, max: 2_000 }),
      fc.integer({ min: 1, max: 20 }),
      async (sizes, limit, maxOutputTokens) => {
        const items = sizes.map(
          (size, n): StoredItem => ({
            ...said(n % 2 ? 'assistant' : 'user'),
            place: String(size),
          }),
        );
        const total = (some: readonly StoredItem[]) =>
          some.reduce((sum, { place }) => sum + Number(place), maxOutputTokens);
        let counts = 0;
        const dropped = await itemsToDrop(items, items.length - 1, {
          engine: {
            countTokens: async ({ messages }) => {
              counts++;
              return { promptTokens: Number(messages[0]?.role), imageTokens: 0, limit };
            },
          },
          promptOf: (some) => ({
            tenant: 't',
            messages: [{ role: String(total(some) - maxOutputTokens) as 'user', content: [] }],
          }),
          maxOutputTokens,
        });
        const fewest = items.findIndex((_, n) => total(items.slice(n)) <= limit);
        expect(dropped).toBe(fewest < 0 ? items.length - 1 : fewest);
        expect(counts).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(items.length)));
      },
    ),
  );
});
