import { commonPrefix } from '../prompt/commonPrefix.ts';
import type { ImageSegment } from '../prompt/segment.ts';
import type { RamTier, Snapshot } from '../state/ramTier.ts';
import { CellLedger } from './cellLedger.ts';
import { KvSlot } from './kvSlot.ts';
import { type Demand, leaveOneToCompute, longestPrefix } from './longestPrefix.ts';

/** A prefix that is being computed elsewhere is waited for when it saves at least this much: a small picture. */
const worthWaitingCells = 32;
/** A snapshot is made, and brought back, for at least this much more than there is without: a small picture. */
const defaultWorthRestoringCells = 32;

/** The native side of the cache, as `Runner` offers it. */
export interface SequenceMemory {
  sharePrefix(from: number, to: number, positions: number): void;
  truncate(sequence: number, position: number): void;
  save(sequence: number): Uint8Array;
  /** False: there is no room. */
  restore(sequence: number, state: Uint8Array): boolean;
}

export type Admission =
  | {
      readonly kind: 'now';
      readonly source: KvSlot | undefined;
      readonly cells: number;
      readonly positions: number;
      /** Instead of `source`: where the prefix is brought back from. */
      readonly snapshot?: Snapshot;
    }
  /** Another sequence is just computing a longer common prefix: waiting for it is cheaper than computing it twice. */
  | { readonly kind: 'shared-prefix-pending' }
  | { readonly kind: 'full' };

/**
 * Which sequence ids hold what, and who may use them. A slot is *busy* while a request runs in it and *idle* after:
 * idle slots are the cache, and the least recently used one makes room when ids or cells run out, its state kept in the `ram`
 * tier. Busy slots reserve
 * what their request can grow to, so a running request never meets a full cache.
 *
 * A look-up compares the prompt with every slot of the tenant: its cost grows with the number of slots (at most 256)
 * times the length they share with the prompt.
 */
export class KvCache {
  readonly ledger: CellLedger;
  droppedSequences = 0;
  restoredSequences = 0;
  readonly ram: RamTier;
  readonly #worthRestoringCells: number;
  readonly #memory: SequenceMemory;
  readonly #slots = new Set<KvSlot>();
  readonly #freeIds: number[];
  readonly #forgotten = new WeakSet<KvSlot>();

  constructor(
    memory: SequenceMemory,
    {
      maxSequences,
      kvCells,
      ram,
      worthRestoringCells = defaultWorthRestoringCells,
    }: { maxSequences: number; kvCells: number; ram: RamTier; worthRestoringCells?: number },
  ) {
    this.ram = ram;
    this.#worthRestoringCells = worthRestoringCells;
    this.#memory = memory;
    this.ledger = new CellLedger(kvCells);
    this.#freeIds = Array.from({ length: maxSequences }, (_, id) => maxSequences - 1 - id);
  }

  get idleCount(): number {
    return [...this.#slots].filter((slot) => !slot.busy).length;
  }

  /** Pure: says whether a demand can be met now, and from which slot's prefix. */
  canAdmit(demand: Demand): Admission {
    const reusable = [...this.#slots].filter((slot) => !this.#forgotten.has(slot));
    const best = longestPrefix(reusable, demand);
    if (best.pendingCells >= best.cells + worthWaitingCells) return { kind: 'shared-prefix-pending' };
    const busy = [...this.#slots].filter((slot) => slot.busy);
    const pinned = this.ledger.heldBy(
      busy.map((slot) => slot.id),
      best.source?.id,
      best.cells,
    );
    const promised = busy.reduce((sum, slot) => sum + slot.reservedCells, 0);
    const needed = demand.promptCells + demand.outputTokens - best.cells;
    const idIsFree = this.#freeIds.length > 0 || this.#slots.size > busy.length;
    const saved = this.ram.longestPrefix(demand.tenant, demand.prompt);
    const restored = saved && leaveOneToCompute(saved.prefix, demand);
    if (saved && restored && restored.cells >= best.cells + this.#worthRestoringCells) {
      const room = Math.max(saved.snapshot.cells, demand.promptCells + demand.outputTokens);
      const held = this.ledger.heldBy(busy.map((slot) => slot.id));
      if (held + promised + room <= this.ledger.total && idIsFree) {
        return { kind: 'now', source: undefined, snapshot: saved.snapshot, ...restored };
      }
    }
    if (pinned + promised + needed > this.ledger.total || !idIsFree) return { kind: 'full' };
    return { kind: 'now', source: best.source, cells: best.cells, positions: best.positions };
  }

  /** Takes what `canAdmit` offered, in the same tick. The slot holds the shared prefix and is busy until `release`. */
  admit(demand: Demand, admission: Extract<Admission, { kind: 'now' }>): KvSlot {
    if (admission.snapshot) return this.#admitRestored(demand, admission, admission.snapshot);
    const { source, cells, positions } = admission;
    const needed = demand.promptCells + demand.outputTokens - cells;
    const inPlace = source && !source.busy && source.cells === cells;
    const slot = inPlace ? source : this.#branch(demand, admission, needed);
    if (slot.cells > cells) this.#truncate(slot, cells, positions);
    while (this.#freeCells() < needed && this.#dropLeastRecentlyUsed(slot));
    slot.session = demand.session;
    slot.begin(demand.prompt, needed);
    return slot;
  }

  /** Brings a snapshot back into a slot of its own and cuts it to the prefix; computes all if it doesn't come back. */
  #admitRestored(
    demand: Demand,
    { cells, positions }: Extract<Admission, { kind: 'now' }>,
    snapshot: Snapshot,
  ): KvSlot {
    const wanted = demand.promptCells + demand.outputTokens;
    const nothing = { kind: 'now', source: undefined, cells: 0, positions: 0 } as const;
    const slot = this.#branch(demand, nothing, Math.max(snapshot.cells, wanted));
    const started = performance.now();
    const isBack = this.#memory.restore(slot.id, snapshot.state);
    if (isBack) {
      this.ledger.append(slot.id, snapshot.cells);
      slot.copy(snapshot.segments);
      if (slot.cells > cells) this.#truncate(slot, cells, positions);
      this.ram.used(snapshot);
      this.restoredSequences++;
    } else this.ram.delete(snapshot);
    slot.session = demand.session;
    slot.begin(demand.prompt, wanted - slot.cells);
    if (isBack) slot.loadMs = performance.now() - started;
    return slot;
  }

  appendTokens(slot: KvSlot, tokens: readonly number[]): void {
    this.ledger.append(slot.id, tokens.length);
    slot.appendTokens(tokens);
  }

  /** Notes `cells` more cells of an image; the image joins the slot's prefix when all of it is there. */
  appendImageCells(slot: KvSlot, image: ImageSegment, cells: number): void {
    this.ledger.append(slot.id, cells);
    slot.appendImageCells(image, cells);
  }

  /** Ends a request's use. What it computed stays as an idle slot until it is dropped. */
  release(slot: KvSlot): void {
    slot.end();
    // Half an image is no prefix of anything.
    if (this.ledger.cellsOf(slot.id) > slot.cells) this.#truncate(slot, slot.cells, slot.positions);
    if (slot.cells === 0 || this.#forgotten.has(slot)) this.#drop(slot);
  }

  /** Ends a request's use and forgets what it computed: for when the native memory can't be trusted. */
  discard(slot: KvSlot): void {
    slot.end();
    this.#drop(slot);
  }

  /** A tenant's state, or what one of its sessions left. */
  forget(tenant: string, session?: string): void {
    this.ram.forget(tenant, session);
    for (const slot of this.#slots) {
      if (slot.tenant !== tenant || (session !== undefined && slot.session !== session)) continue;
      if (slot.busy) this.forgetAtEnd(slot);
      else this.#drop(slot);
    }
  }

  /** Nobody takes over from this slot any more, and it is dropped when its request ends. */
  forgetAtEnd(slot: KvSlot): void {
    this.#forgotten.add(slot);
  }

  checkIntegrity(): void {
    this.ledger.checkIntegrity();
    for (const slot of this.#slots) {
      const held = this.ledger.cellsOf(slot.id);
      if (!slot.busy && held !== slot.cells)
        throw new Error(`slot ${slot.id} says ${slot.cells}, holds ${held}`);
    }
  }

  /** A slot of its own for the prefix, so that the source's longer branch stays; in the source itself if need be. */
  #branch(
    demand: Demand,
    { source, cells, positions }: Extract<Admission, { kind: 'now' }>,
    needed: number,
  ): KvSlot {
    const tight = (): boolean => this.#freeIds.length === 0 || this.#freeCells() < needed;
    while (tight() && this.#dropLeastRecentlyUsed(source));
    if (source && !source.busy && tight()) {
      // What it has beyond the prefix goes.
      this.#demote(source);
      return source;
    }
    const id = this.#freeIds.pop();
    if (id === undefined) throw new Error('admitted without a free sequence id');
    const slot = new KvSlot(id, demand.tenant);
    this.#slots.add(slot);
    if (source && cells > 0) {
      this.#memory.sharePrefix(source.id, id, positions);
      this.ledger.share(source.id, id, cells);
      slot.copyPrefix(source, cells);
      source.touch();
    }
    return slot;
  }

  /** Cells nobody holds and nobody was promised. */
  #freeCells(): number {
    let promised = 0;
    for (const slot of this.#slots) promised += slot.reservedCells;
    return this.ledger.total - this.ledger.used - promised;
  }

  #dropLeastRecentlyUsed(except: KvSlot | undefined): boolean {
    let oldest: KvSlot | undefined;
    for (const slot of this.#slots) {
      if (slot.busy || slot === except) continue;
      if (!oldest || slot.lastUsed < oldest.lastUsed) oldest = slot;
    }
    if (!oldest) return false;
    this.#demote(oldest);
    this.#drop(oldest);
    this.droppedSequences++;
    return true;
  }

  /** Saves what is about to be dropped, unless it is still there elsewhere. */
  #demote(slot: KvSlot): void {
    const { tenant, session, cells, resident } = slot;
    if (cells < this.#worthRestoringCells || this.ram.maxBytes === 0) return;
    const isIn = (other: KvSlot): boolean =>
      other !== slot &&
      other.tenant === tenant &&
      other.cells >= cells &&
      commonPrefix(other.resident, resident).cells === cells;
    if ([...this.#slots].some(isIn) || this.ram.covers(tenant, resident)) return;
    this.ram.put({ tenant, session, cells, segments: slot.snapshot(), state: this.#memory.save(slot.id) });
  }

  #truncate(slot: KvSlot, cells: number, positions: number): void {
    this.#memory.truncate(slot.id, positions);
    this.ledger.truncate(slot.id, cells);
    slot.truncate(cells);
  }

  #drop(slot: KvSlot): void {
    this.#memory.truncate(slot.id, 0);
    this.ledger.truncate(slot.id, 0);
    this.#slots.delete(slot);
    this.#freeIds.push(slot.id);
  }
}
