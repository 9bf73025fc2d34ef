import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SteadyClock } from './steadyClock.ts';

test('follows a wall clock that is corrected a little, ignores jumps however many', () => {
  const second = 1_000;
  const step = fc.record({
    passesMs: fc.integer({ min: 0, max: 3_600 * second }),
    jumpMs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 61 * second, max: 10 ** 9 }),
      fc.integer({ min: -(10 ** 9), max: -61 * second }),
    ),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let [wallMs, monotonicMs, passedMs] = [1.7e12, 0, 0];
      const clock = new SteadyClock({ wallMs: () => wallMs, monotonicMs: () => monotonicMs });
      for (const { passesMs, jumpMs } of steps) {
        wallMs += passesMs + jumpMs;
        monotonicMs += passesMs;
        passedMs += passesMs;
        expect(clock.nowMs()).toBe(1.7e12 + passedMs);
      }
      wallMs += 30 * second;
      expect(clock.nowMs()).toBe(1.7e12 + passedMs + 30 * second);
    }),
  );
});
