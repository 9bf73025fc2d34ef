import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairSlots } from './fairSlots.ts';

const never = new AbortController().signal;
const options = { maxRunning: 2, maxWaiting: 100, maxWaitingPerTenant: 100 };

const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('arrive' as const), tenant: fc.constantFrom(...'abcd') }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('release' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), pick: fc.nat() }) },
);

test('whatever comes, leaves and ends: no slot is lost, none stays free, and no tenant is served twice before one that waits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 120 }),
      fc.integer({ min: 1, max: 4 }),
      async (plan, maxRunning) => {
        const slots = new FairSlots({ ...options, maxRunning });
        const held: (() => void)[] = [];
        const waiting = new Map<AbortController, string>();
        /** For each tenant that waits: who was served since it last was, or began to wait. */
        const servedSince = new Map<string, string[]>();

        const served = (tenant: string): void => {
          for (const [other, since] of servedSince) {
            if (other === tenant) continue;
            expect(since).not.toContain(tenant);
            since.push(tenant);
          }
          if ([...waiting.values()].includes(tenant)) servedSince.set(tenant, []);
          else servedSince.delete(tenant);
        };
        for (const step of plan) {
          if (step.type === 'arrive') {
            const controller = new AbortController();
            waiting.set(controller, step.tenant);
            if (held.length >= maxRunning && !servedSince.has(step.tenant)) servedSince.set(step.tenant, []);
            slots.take(step.tenant, controller.signal).then(
              (release) => {
                held.push(release);
                waiting.delete(controller);
                served(step.tenant);
              },
              () => waiting.delete(controller),
            );
          } else if (step.type === 'release' && held.length > 0) {
            held.splice(step.pick % held.length, 1)[0]?.();
          } else if (step.type === 'abort' && waiting.size > 0) {
            const [controller, tenant] = [...waiting][step.pick % waiting.size] as [AbortController, string];
            controller.abort();
            waiting.delete(controller);
            if (![...waiting.values()].includes(tenant)) servedSince.delete(tenant);
          }
          await setImmediate();
          expect([slots.running, slots.waiting]).toEqual([held.length, waiting.size]);
          expect(held.length).toBeLessThanOrEqual(maxRunning);
          if (waiting.size > 0) expect(held.length).toBe(maxRunning);
        }
        while (held.length > 0) {
          held.pop()?.();
          await setImmediate();
        }
        expect([slots.running, slots.waiting]).toEqual([0, 0]);
      },
    ),
    { numRuns: 150 },
  );
});

test('a tenant with a long line does not keep another one waiting for more than a slot', async () => {
  const slots = new FairSlots({ ...options, maxRunning: 1 });
  let release = await slots.take('busy', never);
  const order: string[] = [];
  const wait = (tenant: string) =>
    slots.take(tenant, never).then((next) => {
      order.push(tenant);
      release = next;
    });
  const all = [...Array(20).fill('busy'), 'quiet', 'quiet'].map(wait);
  for (const _ of all) {
    release();
    await setImmediate();
  }
  await Promise.all(all);
  expect(order.slice(0, 4)).toEqual(['busy', 'quiet', 'busy', 'quiet']);
});

test('a line that is full refuses, naming its limit and when to come again', async () => {
  const slots = new FairSlots({ maxRunning: 1, maxWaiting: 3, maxWaitingPerTenant: 2 });
  const release = await slots.take('a', never);
  const stop = new AbortController();
  const waiting = [slots.take('a', stop.signal), slots.take('a', stop.signal)];
  const refused = async (tenant: string) => slots.take(tenant, never).catch((error) => error);
  expect(await refused('a')).toMatchObject({ code: 'engine_overloaded', details: { waiting: 2, limit: 2 } });
  waiting.push(slots.take('b', stop.signal));
  const error = await refused('c');
  expect(error).toMatchObject({ code: 'engine_overloaded', details: { waiting: 3, limit: 3 } });
  // Four turns of 2 s, which is what is taken for a turn until one has ended.
  expect(error.details.retryAfterMs).toBe(8_000);
  stop.abort(new Error('left'));
  for (const one of waiting) await expect(one).rejects.toThrow('left');
  expect(slots.waiting).toBe(0);
  release();
  for (let turn = 0; turn < 40; turn++) (await slots.take('a', never))();
  const again = await slots.take('a', never);
  const lines = ['a', 'a', 'b'].map((tenant) => slots.take(tenant, never));
  expect((await refused('c')).details.retryAfterMs).toBe(250);
  again();
  await Promise.all(lines.map(async (line) => (await line)()));
});

test('a slot that is handed to somebody who leaves in that moment is not lost', async () => {
  const slots = new FairSlots({ ...options, maxRunning: 1 });
  const release = await slots.take('a', never);
  const leaving = new AbortController();
  const taken = slots.take('b', leaving.signal);
  release();
  leaving.abort();
  (await taken)();
  expect([slots.running, slots.waiting]).toEqual([0, 0]);
});
