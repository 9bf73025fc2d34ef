import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOfTurn, MemoryDisk, newStateController } from '../../../test/helpers/stateController.ts';
import type { Segment } from '../prompt/segment.ts';
import type { Scope } from './checkpoint.ts';

const text = (...tokens: number[]): Segment => ({ kind: 'text', tokens });
const turnOf = (token: number): Segment => text(token, token, endOfTurn);
const session = (name: string): Scope => ({ session: name });
const bytesOf = (fill: number, length = 40): Uint8Array => new Uint8Array(length).fill(fill);
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function setUp(options: { ramBytes: number; disk?: MemoryDisk }) {
  const clock = { nowMs: 0 };
  const parts = newStateController({ ...options, nowMs: () => clock.nowMs });
  const keep = (scope: Scope | undefined, segments: Segment[], state: Uint8Array, tenant = 't'): void =>
    parts.controller.keep({ tenant, scope, segments }, state);
  const tierOf = (prompt: Segment[], tenant = 't'): string => {
    const { ram, disk } = parts.controller.lookUp(tenant, prompt, 1);
    return ram ? 'ram' : disk ? 'disk' : 'none';
  };
  return { ...parts, clock, keep, tierOf };
}

test('a longer state of a session takes the place of its beginning, one of another session does not', () => {
  const { controller, keep } = setUp({ ramBytes: 1_000 });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  keep(session('a'), [turnOf(1), text(2)], bytesOf(2));
  expect([controller.count, controller.ram.bytes]).toEqual([1, 40]);
  keep(session('b'), [turnOf(1), text(2), turnOf(3)], bytesOf(3));
  expect([controller.count, controller.ram.bytes]).toEqual([2, 80]);
  const { ram } = controller.lookUp('t', [turnOf(1), text(2, 7)], 1);
  expect(ram?.prefix).toEqual({ cells: 4, positions: 4 });
});

test('without a disk the newest state within the budget stays', () => {
  const { controller, keep, tierOf } = setUp({ ramBytes: 100 });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  keep(session('b'), [turnOf(2)], bytesOf(2));
  expect(controller.covers('t', [turnOf(1)])).toBe(true);
  keep(session('c'), [turnOf(3)], bytesOf(3));
  expect([tierOf([turnOf(1)]), tierOf([turnOf(2)]), tierOf([turnOf(3)])]).toEqual(['ram', 'none', 'ram']);
  keep(session('d'), [turnOf(4)], bytesOf(4, 101));
  expect([controller.count, controller.ram.bytes, controller.lost]).toEqual([2, 80, 1]);
});

test('what memory has no room for goes to disk, and comes back as it was', async () => {
  const disk = new MemoryDisk();
  const { controller, keep, tierOf } = setUp({ ramBytes: 100, disk });
  for (const n of [1, 2, 3]) keep(session(`s${n}`), [turnOf(n)], bytesOf(n));
  await settled();
  expect([tierOf([turnOf(1)]), tierOf([turnOf(2)]), tierOf([turnOf(3)])]).toEqual(['disk', 'ram', 'ram']);
  const found = controller.lookUp('t', [turnOf(1), text(5)], 1).disk;
  expect(found?.prefix.cells).toBe(3);
  if (!found) throw new Error('it is on disk');
  expect(await controller.load(found.checkpoint)).toBe(true);
  expect(found.checkpoint.state).toEqual(bytesOf(1));
  controller.unpin(found.checkpoint);
  await settled();
  expect(controller.ram.bytes).toBeLessThanOrEqual(100);
  expect(controller.lost).toBe(0);
});

test('idle state goes to disk, is there once, and a longer one replaces it there', async () => {
  const disk = new MemoryDisk();
  const { controller, clock, keep, tierOf } = setUp({ ramBytes: 1_000, disk });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  controller.tick();
  expect(disk.writes).toBe(0);
  clock.nowMs = 1_000;
  controller.tick();
  controller.tick();
  await settled();
  expect([disk.writes, controller.ram.bytes, tierOf([turnOf(1)])]).toEqual([1, 0, 'disk']);
  keep(session('a'), [turnOf(1), turnOf(2)], bytesOf(2));
  expect(disk.objects.size).toBe(1);
  clock.nowMs = 2_000;
  controller.tick();
  await settled();
  expect([disk.writes, disk.objects.size, controller.count]).toEqual([2, 1, 1]);
});

test('state that is used again while it waits to be written stays in memory', async () => {
  const disk = new MemoryDisk();
  const gate = Promise.withResolvers<void>();
  disk.gate = gate.promise;
  const { controller, clock, keep, tierOf } = setUp({ ramBytes: 1_000, disk });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  clock.nowMs = 1_000;
  controller.tick();
  expect(controller.covers('t', [turnOf(1)])).toBe(true);
  gate.resolve();
  await settled();
  expect([tierOf([turnOf(1)]), disk.objects.size]).toEqual(['ram', 1]);
});

test('what is nobody’s never reaches the disk and goes by itself', async () => {
  const disk = new MemoryDisk();
  const { controller, clock, keep } = setUp({ ramBytes: 1_000, disk });
  keep(undefined, [turnOf(1)], bytesOf(1));
  clock.nowMs = 9_999;
  controller.tick();
  expect(controller.count).toBe(1);
  clock.nowMs = 10_000;
  controller.tick();
  await controller.suspend(AbortSignal.timeout(1_000));
  expect([controller.count, disk.writes]).toEqual([0, 0]);
});

test('a full disk loses no answer: state stays in memory while there is room, and goes down again later', async () => {
  const disk = new MemoryDisk();
  disk.failing = new Error('full');
  const { controller, clock, keep, tierOf } = setUp({ ramBytes: 100, disk });
  for (const n of [1, 2]) keep(session(`s${n}`), [turnOf(n)], bytesOf(n));
  clock.nowMs = 1_000;
  controller.tick();
  await settled();
  expect([tierOf([turnOf(1)]), tierOf([turnOf(2)])]).toEqual(['ram', 'ram']);
  expect(controller.writeFailures).toBeGreaterThan(0);
  keep(session('s3'), [turnOf(3)], bytesOf(3));
  expect([controller.lost, controller.ram.bytes]).toEqual([1, 80]);
});

test('what a session alone has goes with it, from memory, from disk and on its way there', async () => {
  const disk = new MemoryDisk();
  const { controller, clock, keep, tierOf } = setUp({ ramBytes: 1_000, disk });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  clock.nowMs = 1_000;
  controller.tick();
  await settled();
  keep(session('a'), [turnOf(2)], bytesOf(2));
  keep(session('a'), [turnOf(3)], bytesOf(3));
  keep(session('b'), [turnOf(4)], bytesOf(4));
  keep(session('a'), [turnOf(5)], bytesOf(5), 'u');
  const gate = Promise.withResolvers<void>();
  disk.gate = gate.promise;
  clock.nowMs = 2_000;
  controller.tick();
  controller.forget('t', 'a', []);
  const forgotten = disk.forget('t', 'a').then((ids) => controller.dropObjects(ids));
  expect([1, 2, 3].map((n) => tierOf([turnOf(n)]))).toEqual(['none', 'none', 'none']);
  gate.resolve();
  await forgotten;
  await settled();
  expect([...disk.objects.values()].map(({ tenant, scope }) => [tenant, scope])).toEqual([
    ['t', { session: 'b' }],
    ['u', { session: 'a' }],
  ]);
  expect([tierOf([turnOf(4)]), tierOf([turnOf(5)], 'u')]).toEqual(['disk', 'disk']);
});

test('a shutdown writes what is in memory, the last used first, and stops at its deadline', async () => {
  const disk = new MemoryDisk();
  const { controller, keep } = setUp({ ramBytes: 1_000, disk });
  for (const n of [1, 2, 3]) keep(session(`s${n}`), [turnOf(n)], bytesOf(n));
  await controller.suspend(AbortSignal.timeout(1_000));
  expect([...disk.objects.values()].map(({ scope }) => scope)).toEqual(
    [3, 2, 1].map((n) => ({ session: `s${n}` })),
  );
  const stuck = new MemoryDisk();
  stuck.gate = new Promise(() => {});
  const other = setUp({ ramBytes: 1_000, disk: stuck });
  other.keep(session('a'), [turnOf(1)], bytesOf(1));
  await other.controller.suspend(AbortSignal.timeout(20));
  expect(stuck.objects.size).toBe(0);
});

test('what an earlier engine left is found, and a lost object is computed again', async () => {
  const disk = new MemoryDisk();
  const before = setUp({ ramBytes: 1_000, disk });
  before.keep(
    session('a'),
    [turnOf(1), { kind: 'image', key: 'k', columns: 3, rows: 2 }, text(7)],
    bytesOf(1),
  );
  await before.controller.suspend(AbortSignal.timeout(1_000));

  const { controller, tierOf } = setUp({ ramBytes: 1_000, disk });
  for (const object of disk.objects.values()) controller.found(object);
  const prompt: Segment[] = [turnOf(1), { kind: 'image', key: 'k', columns: 3, rows: 2 }, text(7, 8)];
  const found = controller.lookUp('t', prompt, 1).disk;
  expect(found?.prefix).toEqual({ cells: 10, positions: 7 });
  disk.objects.clear();
  if (!found) throw new Error('it was found');
  expect(await controller.load(found.checkpoint)).toBe(false);
  controller.unpin(found.checkpoint);
  expect([tierOf(prompt), controller.count]).toEqual(['none', 0]);
});

test('whatever happens in whatever order, the counts agree and what is given back is what was kept', async () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const segments = fc.array(fc.constantFrom(1, 2, 3).map(turnOf), { minLength: 1, maxLength: 4 });
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('keep' as const), name, segments }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), segments }) },
    fc.record({ do: fc.constantFrom('forget' as const, 'fail' as const), name }),
    fc.record({ do: fc.constantFrom('tick' as const, 'wait' as const), ms: fc.nat(3_000) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 30 }),
      fc.constantFrom(0, 60, 200),
      async (actions, ramBytes) => {
        const disk = new MemoryDisk();
        const { controller, tree, clock, keep } = setUp({ ramBytes, disk });
        /** A state tells what it is the state of. */
        const stateOf = (all: readonly Segment[]): Uint8Array =>
          new TextEncoder().encode(JSON.stringify(all).padEnd(40));
        for (const wanted of actions) {
          if (wanted.do === 'keep') keep(session(wanted.name), wanted.segments, stateOf(wanted.segments));
          else if (wanted.do === 'load') {
            const { ram, disk: cold } = controller.lookUp('t', wanted.segments, 1);
            const match = ram ?? cold;
            if (!match) continue;
            if (await controller.load(match.checkpoint)) {
              expect(match.checkpoint.state).toEqual(stateOf(match.checkpoint.segments));
            }
            controller.unpin(match.checkpoint);
          } else if (wanted.do === 'forget') {
            controller.forget('t', wanted.name, []);
            controller.dropObjects(await disk.forget('t', wanted.name));
          } else if (wanted.do === 'fail') disk.failing = disk.failing ? undefined : new Error('full');
          else if (wanted.do === 'tick') {
            clock.nowMs += wanted.ms;
            controller.tick();
          } else await Promise.resolve();
        }
        await settled();
        const kept = [...tree];
        expect(controller.ram.bytes).toBe(kept.reduce((sum, { state }) => sum + (state?.length ?? 0), 0));
        for (const checkpoint of kept) expect([checkpoint.isAnywhere, checkpoint.pins]).toEqual([true, 0]);
        const onDisk = kept.flatMap(({ diskId }) => diskId ?? []);
        expect(new Set(onDisk)).toEqual(new Set(disk.objects.keys()));
      },
    ),
    { numRuns: 300 },
  );
});

test('what is being written when the engine closes is written once', async () => {
  const disk = new MemoryDisk();
  const { controller, clock, keep } = setUp({ ramBytes: 1_000, disk });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  disk.gate = gate;
  keep(session('a'), [turnOf(1)], bytesOf(1));
  clock.nowMs = 1_000;
  controller.tick();
  const suspended = controller.suspend(new AbortController().signal);
  open();
  await suspended;
  expect([disk.writes, disk.objects.size]).toEqual([1, 1]);
});

test('a shutdown tries a disk once more that failed a moment before', async () => {
  const disk = new MemoryDisk();
  const { controller, clock, keep } = setUp({ ramBytes: 1_000, disk });
  keep(session('a'), [turnOf(1)], bytesOf(1));
  disk.failing = new Error('full');
  clock.nowMs = 1_000;
  controller.tick();
  await settled();
  expect(controller.writeFailures).toBe(1);
  keep(session('b'), [turnOf(2)], bytesOf(2));
  await controller.suspend(new AbortController().signal);
  expect(controller.writeFailures).toBe(2);
  disk.failing = undefined;
  await controller.suspend(new AbortController().signal);
  expect(disk.objects.size).toBe(2);
});

test('what is larger than all of the disk holds up no write of others', async () => {
  const disk = new MemoryDisk();
  disk.maxBytes = 50;
  const { controller, clock, keep, tierOf } = setUp({ ramBytes: 120, disk });
  keep(session('large'), [turnOf(1)], bytesOf(1, 60));
  clock.nowMs = 1_000;
  controller.tick();
  await settled();
  keep(session('a'), [turnOf(2)], bytesOf(2));
  keep(session('b'), [turnOf(3)], bytesOf(3));
  await settled();
  clock.nowMs = 2_000;
  controller.tick();
  await settled();
  expect([tierOf([turnOf(1)]), tierOf([turnOf(2)]), tierOf([turnOf(3)])]).toEqual(['none', 'disk', 'disk']);
  expect([controller.writeFailures, controller.lost]).toEqual([0, 1]);
});
