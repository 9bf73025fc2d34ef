/**
 * Counts KV cells. In a unified cache a prefix shared by several sequences is stored once, so cells belong to runs, and
 * a run to every sequence that holds it:
 *
 *     sequence 1:  [run A: 40 cells, 2 holders][run B: 12 cells, 1 holder]
 *     sequence 2:  [run A                     ][run C:  7 cells, 1 holder]      used = 40 + 12 + 7
 *
 * A run is freed with its last holder. Splitting a run costs a look at every sequence (at most 256, a few runs each).
 */
export class CellLedger {
  readonly total: number;
  #used = 0;
  readonly #runs = new Map<number, Run[]>();

  constructor(total: number) {
    this.total = total;
  }

  get used(): number {
    return this.#used;
  }

  cellsOf(sequence: number): number {
    return this.#runsOf(sequence).reduce((sum, run) => sum + run.cells, 0);
  }

  append(sequence: number, cells: number): void {
    if (cells === 0) return;
    const runs = this.#runsOf(sequence);
    const last = runs.at(-1);
    if (last?.holders === 1) last.cells += cells;
    else runs.push({ cells, holders: 1 });
    this.#used += cells;
  }

  /** Lets the empty sequence `to` hold the first `cells` cells of `from`. */
  share(from: number, to: number, cells: number): void {
    const target = this.#runsOf(to);
    if (target.length > 0) throw new Error(`sequence ${to} already holds cells`);
    const border = this.#splitAt(from, cells);
    for (const run of this.#runsOf(from).slice(0, border)) {
      run.holders++;
      target.push(run);
    }
  }

  /** Keeps the first `cells` cells of a sequence. */
  truncate(sequence: number, cells: number): void {
    const border = this.#splitAt(sequence, cells);
    for (const run of this.#runsOf(sequence).splice(border)) {
      run.holders--;
      if (run.holders === 0) this.#used -= run.cells;
    }
  }

  /** Distinct cells that some sequences hold together, and with them the first `prefixCells` cells of `prefixOf`. */
  heldBy(sequences: Iterable<number>, prefixOf = -1, prefixCells = 0): number {
    const runs = new Set<Run>();
    let held = 0;
    for (const sequence of sequences) {
      for (const run of this.#runsOf(sequence)) {
        if (runs.has(run)) continue;
        runs.add(run);
        held += run.cells;
      }
    }
    let missing = prefixCells;
    for (const run of this.#runsOf(prefixOf)) {
      if (missing <= 0) break;
      if (!runs.has(run)) held += Math.min(run.cells, missing);
      missing -= run.cells;
    }
    return held;
  }

  /** @throws when the count and the runs disagree, which would be a bug here. */
  checkIntegrity(): void {
    const holders = new Map<Run, number>();
    for (const runs of this.#runs.values()) {
      for (const run of runs) holders.set(run, (holders.get(run) ?? 0) + 1);
    }
    let used = 0;
    for (const [run, count] of holders) {
      if (run.holders !== count) throw new Error(`a run counts ${run.holders} holders and has ${count}`);
      used += run.cells;
    }
    if (used !== this.#used) throw new Error(`${this.#used} cells counted, ${used} held`);
  }

  #runsOf(sequence: number): Run[] {
    let runs = this.#runs.get(sequence);
    if (!runs) {
      runs = [];
      this.#runs.set(sequence, runs);
    }
    return runs;
  }

  /** Makes `cells` a border between runs, for every holder of the run that is cut. Returns the border's run index. */
  #splitAt(sequence: number, cells: number): number {
    let start = 0;
    for (const [index, run] of this.#runsOf(sequence).entries()) {
      if (start === cells) return index;
      if (start + run.cells > cells) {
        const tail: Run = { cells: start + run.cells - cells, holders: run.holders };
        run.cells -= tail.cells;
        for (const runs of this.#runs.values()) {
          const position = runs.indexOf(run);
          if (position >= 0) runs.splice(position + 1, 0, tail);
        }
        return index + 1;
      }
      start += run.cells;
    }
    if (start === cells) return this.#runsOf(sequence).length;
    throw new Error(`sequence ${sequence} holds ${start} cells, not ${cells}`);
  }
}

interface Run {
  cells: number;
  holders: number;
}
