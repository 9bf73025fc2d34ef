import { expect, test } from 'vitest';
import { SharedOwners } from './sharedOwners.ts';

test('what is shared goes with the last session that uses it, and never with a foreign one', () => {
  const owners = new SharedOwners();
  expect(owners.use('t', 'cat', 'one')).toBe(true);
  expect(owners.use('t', 'cat', 'one')).toBe(false);
  owners.use('t', 'cat', 'two');
  owners.use('t', 'dog', 'two');
  owners.use('u', 'cat', 'one');
  expect(owners.release('t', 'one')).toEqual([]);
  expect(owners.release('t', 'one')).toEqual([]);
  expect(owners.isUsed('t', 'cat')).toBe(true);
  expect(new Set(owners.release('t', 'two'))).toEqual(new Set(['cat', 'dog']));
  expect(owners.isUsed('t', 'cat')).toBe(false);
  expect(owners.isUsed('u', 'cat')).toBe(true);
  owners.use('t', 'cat', 'three');
  owners.forget('t');
  expect(owners.isUsed('t', 'cat')).toBe(false);
  expect(owners.release('u', 'one')).toEqual(['cat']);
});
