import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newStateController } from '../../../test/helpers/stateController.ts';
import { totalCells } from '../prompt/commonPrefix.ts';
import type { ImageSegment, Segment } from '../prompt/segment.ts';
import type { StateController } from '../state/stateController.ts';
import { KvCache, type SequenceMemory } from './kvCache.ts';
import type { KvSlot } from './kvSlot.ts';

/** What the native cache would hold: per sequence, cells of [position, content]. */
class FakeMemory implements SequenceMemory {
  readonly cells = new Map<number, [position: number, content: string][]>();
  of(sequence: number): [number, string][] {
    const held = this.cells.get(sequence) ?? [];
    this.cells.set(sequence, held);
    return held;
  }
  sharePrefix(from: number, to: number, positions: number): void {
    expect(this.of(to)).toEqual([]);
    this.of(to).push(...this.of(from).filter(([position]) => position < positions));
  }
  save(sequence: number): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.of(sequence)));
  }
  /** Asked before a restore; true: there is no room for it. */
  refuses = (): boolean => false;
  restore(sequence: number, state: Uint8Array): boolean {
    expect(this.of(sequence)).toEqual([]);
    if (this.refuses()) return false;
    this.cells.set(sequence, JSON.parse(new TextDecoder().decode(state)));
    return true;
  }
  truncate(sequence: number, position: number): void {
    this.cells.set(
      sequence,
      this.of(sequence).filter(([held]) => held < position),
    );
  }
}

/** A prompt as the list of cells the native cache should hold for it. */
function expectedCells(prompt: readonly Segment[]): [number, string][] {
  const cells: [number, string][] = [];
  let position = 0;
  for (const segment of prompt) {
    if (segment.kind === 'text') {
      for (const token of segment.tokens) cells.push([position++, `t${token}`]);
      continue;
    }
    for (let index = 0; index < segment.columns * segment.rows; index++) {
      cells.push([position, `${segment.key}#${index}`]);
    }
    position += Math.max(segment.columns, segment.rows);
  }
  return cells;
}

class Harness {
  readonly memory = new FakeMemory();
  readonly cache: KvCache;
  readonly state: StateController;
  constructor(maxSequences: number, kvCells: number, ramBytes = 0, worthRestoringCells = 32) {
    const { controller, planner } = newStateController({ ramBytes });
    this.state = controller;
    this.cache = new KvCache(this.memory, {
      maxSequences,
      kvCells,
      state: controller,
      planner,
      worthRestoringCells,
    });
  }
  async forget(tenant: string, session?: string): Promise<void> {
    this.cache.forget(tenant, session);
    await this.state.forget(tenant, session, []);
  }
  /** Admits a prompt; what of it the slot claims to hold must really be there. Undefined when there is no room. */
  start(tenant: string, prompt: Segment[], outputTokens: number): KvSlot | undefined {
    const demand = { tenant, prompt, promptCells: totalCells(prompt), outputTokens };
    const admission = this.cache.canAdmit(demand);
    if (admission.kind !== 'now') return undefined;
    const slot = this.cache.admit(demand, admission);
    expect(slot.tenant).toBe(tenant);
    expect(this.memory.of(slot.id)).toEqual(expectedCells(prompt).slice(0, slot.cells));
    if (outputTokens > 0) expect(slot.cells).toBeLessThan(totalCells(prompt));
    return slot;
  }
  /** Computes `cells` more cells of the prompt, as the scheduler would. */
  compute(slot: KvSlot, prompt: Segment[], until = Number.POSITIVE_INFINITY): void {
    const all = expectedCells(prompt);
    let start = 0;
    for (const segment of prompt) {
      const length = totalCells([segment]);
      const from = Math.max(start, this.cache.ledger.cellsOf(slot.id));
      const to = Math.min(start + length, until);
      if (to > from) {
        this.memory.of(slot.id).push(...all.slice(from, to));
        if (segment.kind === 'image') this.cache.appendImageCells(slot, segment, to - from);
        else this.cache.appendTokens(slot, segment.tokens.slice(from - start, to - start));
      }
      start += length;
    }
  }
}

const text = (...tokens: number[]): Segment => ({ kind: 'text', tokens });
const image = (key: string): ImageSegment => ({ kind: 'image', key, columns: 3, rows: 2 });

test('a follow-up takes over its own sequence and computes only what is new', () => {
  const harness = new Harness(4, 100);
  const first = [text(1, 2), image('a'), text(3)];
  const slot = harness.start('t', first, 5) as KvSlot;
  harness.compute(slot, first);
  harness.cache.release(slot);
  const next = harness.start('t', [...first, text(4, 5)], 5) as KvSlot;
  expect(next.id).toBe(slot.id);
  expect(next.cells).toBe(9);
  expect(next.positions).toBe(6);
});

test('a branch leaves the longer conversation in place', () => {
  const harness = new Harness(4, 100);
  const long = [text(1, 2), image('a'), text(3, 4, 5)];
  const slot = harness.start('t', long, 5) as KvSlot;
  harness.compute(slot, long);
  harness.cache.release(slot);
  const branch = harness.start('t', [text(1, 2), image('a'), text(9)], 5) as KvSlot;
  expect(branch.id).not.toBe(slot.id);
  expect(branch.cells).toBe(8);
  expect(harness.cache.ledger.used).toBe(11);
});

test('waits for a long prefix that another request is just computing', () => {
  const harness = new Harness(4, 200);
  const shared = text(...Array.from({ length: 40 }, (_, index) => index));
  const prompt = [shared, image('a'), text(3)];
  const slot = harness.start('t', prompt, 5) as KvSlot;
  const demand = { tenant: 't', prompt: [shared, image('a'), text(7)], promptCells: 47, outputTokens: 5 };
  expect(harness.cache.canAdmit(demand).kind).toBe('shared-prefix-pending');
  harness.compute(slot, prompt);
  expect(harness.cache.canAdmit(demand)).toMatchObject({ kind: 'now', cells: 46 });
  expect(harness.cache.canAdmit({ ...demand, tenant: 'u' })).toMatchObject({ kind: 'now', cells: 0 });
});

test('never drops a running sequence: without room a request waits', () => {
  const harness = new Harness(4, 20);
  const prompt = [text(1, 2, 3, 4, 5, 6)];
  const slot = harness.start('t', prompt, 6) as KvSlot;
  expect(harness.start('t', [text(9, 9, 9, 9)], 5)).toBeUndefined();
  harness.compute(slot, prompt);
  harness.cache.release(slot);
  expect(harness.start('t', [text(9, 9, 9, 9)], 12)).toBeDefined();
});

test('keeps only whole images when a request ends in the middle of one', () => {
  const harness = new Harness(4, 100);
  const prompt = [text(1), image('a'), text(2)];
  const slot = harness.start('t', prompt, 5) as KvSlot;
  harness.compute(slot, prompt, 4);
  harness.cache.release(slot);
  harness.cache.checkIntegrity();
  expect(harness.start('t', prompt, 5)?.cells).toBe(1);
});

test('forgets a tenant at once where idle, and at its end where running', () => {
  const harness = new Harness(4, 100);
  const prompt = [text(1, 2, 3)];
  const running = harness.start('t', prompt, 5) as KvSlot;
  harness.compute(running, prompt);
  harness.cache.forget('t');
  expect(harness.start('t', prompt, 5)?.cells).toBe(0);
  harness.cache.release(running);
  expect(harness.cache.idleCount).toBe(0);
});

test('whatever is started, ended and forgotten, slots hold what they claim and cells add up', () => {
  const segment = fc.oneof(
    fc.array(fc.nat(2), { minLength: 1, maxLength: 6 }).map((tokens): Segment => text(...tokens)),
    fc.constantFrom('a', 'b').map((key): Segment => image(key)),
  );
  const action = fc.record({
    kind: fc.constantFrom('start', 'start', 'start', 'finish', 'abort', 'forget'),
    tenant: fc.constantFrom('t', 'u'),
    prompt: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => [...segments, text(7)]),
    output: fc.nat(6),
    pick: fc.nat(10),
  });
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 40 }),
      fc.constantFrom(0, 300, 1e6),
      fc.nat(3),
      (actions, ramBytes, refused) => {
        const harness = new Harness(4, 60, ramBytes, 2);
        let restores = 0;
        harness.memory.refuses = () => restores++ % 4 === refused;
        const running: { slot: KvSlot; prompt: Segment[] }[] = [];
        for (const { kind, tenant, prompt, output, pick } of actions) {
          if (kind === 'start') {
            const slot = harness.start(tenant, prompt, output);
            if (slot) running.push({ slot, prompt });
          } else if (kind === 'forget') {
            void harness.forget(tenant);
          } else {
            const [ended] = running.splice(pick % Math.max(running.length, 1), 1);
            if (!ended) continue;
            harness.compute(ended.slot, ended.prompt, kind === 'abort' ? pick : undefined);
            harness.cache.release(ended.slot);
          }
          harness.cache.checkIntegrity();
          expect(harness.cache.ledger.used).toBeLessThanOrEqual(60);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

const run = (from: number, length = 40): Segment => text(...Array.from({ length }, (_, n) => from + n));

/** One turn to its end: what was idle in the way has to go. */
function turn(harness: Harness, tenant: string, prompt: Segment[]): KvSlot {
  const slot = harness.start(tenant, prompt, 5) as KvSlot;
  const before = { cells: slot.cells, loadMs: slot.loadMs };
  harness.compute(slot, prompt);
  harness.cache.release(slot);
  harness.cache.checkIntegrity();
  return Object.assign(Object.create(slot), before);
}

test('what had to leave the cache comes back from memory, whole or up to where a prompt differs', () => {
  const harness = new Harness(4, 70, 1e6);
  const first = [run(0), image('a')];
  turn(harness, 't', first);
  turn(harness, 't', [run(1000, 60)]);
  expect([harness.cache.droppedSequences, harness.state.ram.count]).toEqual([1, 1]);
  const back = turn(harness, 't', [...first, text(7)]);
  expect(back.cells).toBe(46);
  expect(back.loadMs).toBeGreaterThan(0);
  expect(harness.cache.restoredSequences).toBe(1);
  turn(harness, 't', [run(1000, 60), text(1)]);
  // Up to the picture only: another one follows.
  expect(turn(harness, 't', [run(0), image('b'), text(7)]).cells).toBe(40);
});

test('another tenant finds nothing of it, and a tenant that is forgotten neither', async () => {
  const harness = new Harness(4, 70, 1e6);
  turn(harness, 't', [run(0), text(1)]);
  turn(harness, 'u', [run(1000, 60)]);
  expect(harness.state.ram.count).toBe(1);
  expect(turn(harness, 'u', [run(0), text(1)]).cells).toBe(0);
  await harness.forget('t');
  expect(turn(harness, 't', [run(0), text(1)]).cells).toBe(0);
});

test('a snapshot that does not come back is dropped, and its prompt computed', () => {
  const harness = new Harness(4, 70, 1e6);
  turn(harness, 't', [run(0), text(1)]);
  turn(harness, 't', [run(1000, 60)]);
  harness.memory.refuses = () => true;
  expect(turn(harness, 't', [run(0), text(1, 2)]).cells).toBe(0);
  harness.memory.refuses = () => false;
  expect(harness.cache.restoredSequences).toBe(0);
});

test('a session that ends takes its idle and saved state with it, another one keeps its own', async () => {
  const harness = new Harness(4, 70, 1e6);
  const say = (session: string, prompt: Segment[]): number => {
    const demand = { tenant: 't', session, prompt, promptCells: totalCells(prompt), outputTokens: 5 };
    const admission = harness.cache.canAdmit(demand);
    if (admission.kind !== 'now') throw new Error(admission.kind);
    const slot = harness.cache.admit(demand, admission);
    const { cells } = slot;
    harness.compute(slot, prompt);
    harness.cache.release(slot);
    return cells;
  };
  say('a', [run(0)]);
  say('b', [run(1000, 60)]);
  expect(harness.state.ram.count).toBe(1);
  await harness.forget('t', 'b');
  await harness.forget('u', 'a');
  expect(harness.cache.ledger.used).toBe(0);
  expect(say('a', [run(0), text(1)])).toBe(40);
  await harness.forget('t', 'a');
  expect([harness.state.ram.bytes, harness.cache.ledger.used]).toEqual([0, 0]);
});
