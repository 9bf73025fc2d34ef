import { expect, test } from 'vitest';
import { PrefillRate } from '../schedule/prefillRate.ts';
import { Planner, type Way } from './planner.ts';

const way = (tier: Way['tier'], more: Partial<Way> = {}): Way => ({
  tier,
  bytes: 0,
  computeTokens: 20,
  encodeTokens: 0,
  ...more,
});

/** 5 ms a batch and 1 ms for 4 tokens; 1 GB/s from memory, 100 MB/s from disk; 200 ms for 200 image tokens. */
function taught(): Planner {
  const planner = new Planner(new PrefillRate());
  for (let round = 0; round < 50; round++) {
    planner.notePrefill(400, 5 + 100);
    planner.notePrefill(20, 5 + 5);
    planner.ram.note(1e6, 1);
    planner.disk.note(1e6, 1 + 10);
    planner.encode.note(200, 200);
  }
  return planner;
}

test('an estimate is what such steps took, added up', () => {
  const planner = taught();
  expect(planner.estimateMs(way('hot'))).toBeCloseTo(10, 0);
  expect(planner.estimateMs(way('none', { computeTokens: 800 }))).toBeCloseTo(205, -1);
  expect(planner.estimateMs(way('ram', { bytes: 2e6 }))).toBeCloseTo(12, 0);
  expect(planner.estimateMs(way('disk', { bytes: 2e6 }))).toBeCloseTo(33, 0);
  expect(planner.estimateMs(way('none', { computeTokens: 400, encodeTokens: 200 }))).toBeCloseTo(305, -1);
});

test('the cheapest way is taken, and none that is slower than computing', () => {
  const planner = taught();
  const again = way('none', { computeTokens: 100 });
  expect(planner.choose([again, way('disk', { bytes: 1e6 })]).tier).toBe('disk');
  expect(planner.choose([again, way('disk', { bytes: 9e6 })]).tier).toBe('none');
  expect(planner.choose([way('hot'), way('ram', { bytes: 1 })]).tier).toBe('hot');
});

test('a disk that was slow once is tried again some time', () => {
  const planner = taught();
  for (let round = 0; round < 20; round++) planner.disk.note(1e6, 10_000);
  const ways: [Way, Way] = [way('none', { computeTokens: 400 }), way('disk', { bytes: 1e6 })];
  expect(planner.choose(ways).tier).toBe('none');
  let tries = 0;
  while (planner.choose(ways).tier === 'none') tries++;
  expect(tries).toBeLessThan(200);
});

test('one slow read after a start is not held against a disk', () => {
  const planner = new Planner(new PrefillRate());
  const ways: [Way, Way] = [way('none', { computeTokens: 100 }), way('disk', { bytes: 1e6 })];
  for (let round = 0; round < 20; round++) planner.notePrefill(400, 100);
  planner.disk.note(1e6, 5_000);
  expect(planner.choose(ways).tier).toBe('disk');
});

test('unmeasured, state is brought back', () => {
  const planner = new Planner(new PrefillRate());
  const again = way('none', { computeTokens: 700, encodeTokens: 196 });
  expect(planner.choose([again, way('disk', { bytes: 80e6 })]).tier).toBe('disk');
});
