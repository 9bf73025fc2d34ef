import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonPrefix } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';
import { Checkpoint } from './checkpoint.ts';
import { childKey, packTokens, rootKey, unpackTokens } from './stateKey.ts';
import { StateTree } from './stateTree.ts';

const root = { fingerprint: 'f', salt: new Uint8Array(32), adapter: '' };
const endOfTurn = 9;
const newTree = (): StateTree =>
  new StateTree(
    (tenant) => rootKey(tenant, root),
    (token) => token === endOfTurn,
  );
const checkpointOf = (tenant: string, segments: readonly Segment[]): Checkpoint =>
  new Checkpoint({ tenant, scope: undefined, segments, bytes: 1, lastUsedMs: 0 });

const text = (...tokens: number[]): Segment => ({ kind: 'text', tokens });
const image = (key: string): Segment => ({ kind: 'image', key, columns: 3, rows: 2 });
const segment = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(fc.constantFrom(1, 2, endOfTurn), { minLength: 1, maxLength: 4 })
      .map((tokens) => text(...tokens)),
  },
  { weight: 1, arbitrary: fc.constantFrom('a', 'b').map(image) },
);
const prompt = fc.array(segment, { minLength: 1, maxLength: 5 });
const tenant = fc.constantFrom('s', 't');

test('finds what comparing with every checkpoint finds, longest first, however runs are cut', () => {
  const kept = fc.array(fc.tuple(tenant, prompt, fc.boolean()), { maxLength: 12 });
  fc.assert(
    fc.property(kept, tenant, prompt, (all, asked, wanted) => {
      const tree = newTree();
      const checkpoints = all.map(([of, segments]) => checkpointOf(of, segments));
      for (const checkpoint of checkpoints) tree.add(checkpoint);
      const left = checkpoints.filter((_, index) => all[index]?.[2]);
      for (const checkpoint of checkpoints) if (!left.includes(checkpoint)) tree.delete(checkpoint);
      expect(tree.size).toBe(left.length);

      const own = left.filter((checkpoint) => checkpoint.tenant === asked);
      const shared = new Map(
        own.map((checkpoint) => [checkpoint, commonPrefix(checkpoint.segments, wanted)] as const),
      );
      const matches = [...tree.search(asked, wanted)];
      expect(new Map(matches.map(({ checkpoint, prefix }) => [checkpoint, prefix]))).toEqual(
        new Map([...shared].filter(([, { cells }]) => cells > 0)),
      );
      const lengths = matches.map(({ prefix }) => prefix.cells);
      expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
      expect(new Set(tree.beginningsOf(asked, wanted))).toEqual(
        new Set(own.filter((checkpoint) => shared.get(checkpoint)?.cells === checkpoint.cells)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('nothing is left of a tree whose checkpoints went', () => {
  const tree = newTree();
  const one = checkpointOf('t', [text(1, endOfTurn), image('a'), text(2)]);
  tree.add(one);
  tree.delete(one);
  expect([...tree.search('t', one.segments)]).toEqual([]);
  expect([...tree]).toEqual([]);
});

test('keys tell prompts, pictures, tenants, models and adapters apart', () => {
  const keys = [
    rootKey('t', root),
    rootKey('u', root),
    rootKey('t', { ...root, fingerprint: 'g' }),
    rootKey('t', { ...root, adapter: 'a' }),
    rootKey('t', { ...root, salt: new Uint8Array(32).fill(1) }),
    childKey('k', text(1)),
    childKey('k', text(1, 1)),
    childKey('l', text(1)),
    childKey('k', image('a')),
    childKey('k', image('b')),
    childKey('k', { kind: 'image', key: 'a', columns: 2, rows: 3 }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  for (const key of keys) expect(key).toMatch(/^[\w-]{43}$/);
});

test('tokens are packed as they were', () => {
  const tokens = [0, 1, 151_935, 2 ** 31];
  expect(unpackTokens(packTokens(tokens))).toEqual(tokens);
});
