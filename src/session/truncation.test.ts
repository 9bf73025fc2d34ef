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

test('what is left out makes room, in whole steps where they can be, found in few counts', async () => {
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
        const missing = total(items) - limit;
        const step = Math.max(1, Math.floor(limit / 4));
        const first = (tokens: number) =>
          items.slice(0, -1).findIndex((_, n) => total(items) - total(items.slice(n + 1)) >= tokens) + 1 ||
          undefined;
        const wanted = first(Math.ceil(missing / step) * step) ?? first(missing) ?? items.length - 1;
        expect(dropped).toBe(missing <= 0 ? 0 : wanted);
        expect(counts).toBeLessThanOrEqual(3 + 2 * Math.ceil(Math.log2(items.length)));
      },
    ),
  );
});

test('over a long conversation the beginning of the prompt rarely changes', async () => {
  const [limit, maxOutputTokens, size] = [2_000, 100, 20];
  const drops: number[] = [];
  for (let turns = 1; turns <= 400; turns++) {
    const items = Array.from({ length: turns }, (_, n) => said(n % 2 ? 'assistant' : 'user'));
    const dropped = await itemsToDrop(items, items.length - 1, {
      engine: {
        countTokens: async ({ messages }) => ({
          promptTokens: messages.length * size,
          imageTokens: 0,
          limit,
        }),
      },
      promptOf: (some) => ({ tenant: 't', messages: some.map(() => ({ role: 'user', content: [] })) }),
      maxOutputTokens,
    });
    expect((turns - dropped) * size + maxOutputTokens).toBeLessThanOrEqual(limit);
    drops.push(dropped);
  }
  const moves = drops.filter((dropped, turn) => turn > 0 && dropped !== drops[turn - 1]);
  // 8,000 tokens in all, in steps of 500 past the first 1,900.
  expect(moves).toHaveLength(13);
});
