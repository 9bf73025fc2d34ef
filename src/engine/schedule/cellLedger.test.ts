import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CellLedger } from './cellLedger.ts';

/** The same operations on plain lists of cell names: slow and obviously right. */
class NaiveLedger {
  readonly lists = new Map<number, number[]>();
  #next = 0;
  list(sequence: number): number[] {
    return this.lists.get(sequence) ?? [];
  }
  append(sequence: number, cells: number): void {
    this.lists.set(sequence, [...this.list(sequence), ...Array.from({ length: cells }, () => this.#next++)]);
  }
  share(from: number, to: number, cells: number): void {
    this.lists.set(to, this.list(from).slice(0, cells));
  }
  truncate(sequence: number, cells: number): void {
    this.lists.set(sequence, this.list(sequence).slice(0, cells));
  }
  get used(): number {
    return new Set([...this.lists.values()].flat()).size;
  }
  heldBy(sequences: number[], prefixOf: number, prefixCells: number): number {
    const lists = [...sequences.map((id) => this.list(id)), this.list(prefixOf).slice(0, prefixCells)];
    return new Set(lists.flat()).size;
  }
}

test('counts shared cells once, whatever is appended, shared and cut', () => {
  const sequence = fc.integer({ min: 0, max: 4 });
  const operation = fc.record({
    kind: fc.constantFrom('append', 'share', 'truncate'),
    from: sequence,
    to: sequence,
    amount: fc.nat(30),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const ledger = new CellLedger(1000);
      const naive = new NaiveLedger();
      for (const { kind, from, to, amount } of operations) {
        const held = naive.list(from).length;
        if (kind === 'append') {
          ledger.append(from, amount);
          naive.append(from, amount);
        } else if (kind === 'truncate') {
          ledger.truncate(from, Math.min(amount, held));
          naive.truncate(from, Math.min(amount, held));
        } else if (from !== to) {
          ledger.truncate(to, 0);
          naive.truncate(to, 0);
          ledger.share(from, to, Math.min(amount, held));
          naive.share(from, to, Math.min(amount, held));
        }
        ledger.checkIntegrity();
        expect(ledger.used).toBe(naive.used);
        expect(ledger.cellsOf(from)).toBe(naive.list(from).length);
        expect(ledger.heldBy([0, 2, 4], from, amount)).toBe(naive.heldBy([0, 2, 4], from, amount));
      }
    }),
  );
});

test('refuses to cut beyond what a sequence holds', () => {
  const ledger = new CellLedger(10);
  ledger.append(1, 3);
  expect(() => ledger.truncate(1, 4)).toThrow('holds 3 cells');
});
