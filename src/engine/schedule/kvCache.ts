import { commonPrefix } from '../prompt/commonPrefix.ts';
import type { ImageSegment, Segment } from '../prompt/segment.ts';
import type { Checkpoint, Scope } from '../state/checkpoint.ts';
import type { Planner } from '../state/planner.ts';
import type { StateController } from '../state/stateController.ts';
import { type Admission, type Beginning, decideAdmission } from './admission.ts';
import { CellLedger } from './cellLedger.ts';
import { KvSlot } from './kvSlot.ts';
import { type Demand, longestPrefix } from './longestPrefix.ts';

/** State is saved, and brought back, for at least this much more than there is without: a small picture. */
const defaultWorthRestoringCells = 32;

/** The native side of the cache, as `Runner` offers it. */
export interface SequenceMemory {
  sharePrefix(from: number, to: number, positions: number): void;
  truncate(sequence: number, position: number): void;
  save(sequence: number): Uint8Array;
  /** False: there is no room. */
  restore(sequence: number, state: Uint8Array): boolean;
}

export interface KvCacheOptions {
  readonly maxSequences: number;
  readonly kvCells: number;
  /** Where state goes that has to leave. */
  readonly state: StateController;
  readonly planner: Planner;
  /** Whether nobody has the features of an image. */
  readonly mustEncode?: (tenant: string, imageKey: string) => boolean;
  readonly worthRestoringCells?: number;
}

/**
 * Which sequence ids hold what, and who may use them. A slot is *busy* while a request runs in it and *idle* after:
 * idle slots are the `hot` tier, and the least recently used one makes room when ids or cells run out, its state kept by the
 * State Controller. Busy slots reserve what their request can grow to, so a running request never meets a full cache.
 *
 * A look-up compares the prompt with every slot of the tenant: its cost grows with the number of slots (at most 256)
 * times the length they share with the prompt.
 */
export class KvCache {
  readonly ledger: CellLedger;
  droppedSequences = 0;
  restoredSequences = 0;
  readonly state: StateController;
  readonly #planner: Planner;
  readonly #mustEncode: (tenant: string, imageKey: string) => boolean;
  readonly #worthRestoringCells: number;
  readonly #memory: SequenceMemory;
  readonly #slots = new Set<KvSlot>();
  readonly #freeIds: number[];
  readonly #forgotten = new WeakSet<KvSlot>();

  constructor(memory: SequenceMemory, options: KvCacheOptions) {
    this.state = options.state;
    this.#planner = options.planner;
    this.#mustEncode = options.mustEncode ?? (() => false);
    this.#worthRestoringCells = options.worthRestoringCells ?? defaultWorthRestoringCells;
    this.#memory = memory;
    this.ledger = new CellLedger(options.kvCells);
    const { maxSequences } = options;
    this.#freeIds = Array.from({ length: maxSequences }, (_, id) => maxSequences - 1 - id);
  }

  get idleCount(): number {
    return [...this.#slots].filter((slot) => !slot.busy).length;
  }

  /** Pure: says whether a demand can be met now, and how it is best begun. */
  canAdmit(demand: Demand): Admission {
    const { tenant, prompt } = demand;
    const best = longestPrefix(
      [...this.#slots].filter((slot) => !this.#forgotten.has(slot)),
      demand,
    );
    const busy = [...this.#slots].filter((slot) => slot.busy);
    const busyIds = busy.map(({ id }) => id);
    const promised = busy.reduce((sum, slot) => sum + slot.reservedCells, 0);
    const idIsFree = this.#freeIds.length > 0 || this.#slots.size > busy.length;
    const wanted = demand.promptCells + demand.outputTokens;
    const fits = ({
      source,
      checkpoint,
      cells,
    }: Pick<Beginning, 'source' | 'checkpoint' | 'cells'>): boolean => {
      const held = this.ledger.heldBy(busyIds, source?.id, checkpoint ? 0 : cells);
      // A checkpoint comes back whole before it is cut.
      const added = checkpoint ? Math.max(checkpoint.cells, wanted) : wanted - cells;
      return idIsFree && held + promised + added <= this.ledger.total;
    };
    const found = this.state.lookUp(tenant, prompt, best.cells + this.#worthRestoringCells);
    const mustEncode = (imageKey: string): boolean => this.#mustEncode(tenant, imageKey);
    return decideAdmission(demand, { best, found, fits, mustEncode }, this.#planner);
  }

  /** Takes what `canAdmit` offered, in the same tick. The slot holds the shared prefix and is busy until `release`. */
  admit(demand: Demand, beginning: Beginning): KvSlot {
    const { source, checkpoint, cells, positions } = beginning;
    if (checkpoint) return this.#admitRestored(demand, beginning, checkpoint);
    const needed = demand.promptCells + demand.outputTokens - cells;
    const inPlace = source && !source.busy && source.cells === cells;
    const slot = inPlace ? source : this.#branch(demand, beginning, needed);
    if (slot.cells > cells) this.#truncate(slot, cells, positions);
    while (this.#freeCells() < needed && this.#dropLeastRecentlyUsed(slot));
    slot.session = demand.session;
    slot.begin(demand.prompt, needed);
    return slot;
  }

  /** Brings a checkpoint back into a slot of its own and cuts it to the prefix; computes all if it doesn't come back. */
  #admitRestored(demand: Demand, { cells, positions }: Beginning, checkpoint: Checkpoint): KvSlot {
    const { state } = checkpoint;
    if (!state) throw new Error('a checkpoint is brought to memory before it is restored');
    const wanted = demand.promptCells + demand.outputTokens;
    const nothing = { source: undefined, cells: 0, positions: 0 };
    const slot = this.#branch(demand, nothing, Math.max(checkpoint.cells, wanted));
    const started = performance.now();
    const isBack = this.#memory.restore(slot.id, state);
    if (isBack) {
      this.ledger.append(slot.id, checkpoint.cells);
      slot.copy(checkpoint.segments);
      if (slot.cells > cells) this.#truncate(slot, cells, positions);
      this.state.used(checkpoint);
      this.restoredSequences++;
    } else this.state.discard(checkpoint);
    slot.session = demand.session;
    slot.begin(demand.prompt, wanted - slot.cells);
    if (isBack) {
      slot.loadMs = performance.now() - started;
      this.#planner.ram.note(checkpoint.bytes, slot.loadMs);
    }
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

  /** Keeps what a running slot has computed so far for all prompts that begin so, unless it is kept already. */
  keepShared(slot: KvSlot, scope: Scope | undefined): void {
    if (!this.state.keepsAnything || this.#forgotten.has(slot)) return;
    if (!this.state.covers(slot.tenant, slot.resident)) this.#keep(slot, scope);
  }

  /** What lies in slots of a session. */
  heldBy(tenant: string, session: string): { segments: readonly Segment[]; cells: number }[] {
    return [...this.#slots]
      .filter((slot) => slot.tenant === tenant && slot.session === session)
      .map((slot) => ({ segments: slot.snapshot(), cells: slot.cells }));
  }

  /** Lets the slot go that has been idle longest, if that is at least this long; false: there is none. */
  demoteIdle(idleMs: number): boolean {
    const oldest = this.#leastRecentlyUsed(undefined);
    if (!oldest || performance.now() - oldest.idleSince < idleMs) return false;
    this.#demote(oldest);
    this.#drop(oldest);
    return true;
  }

  /** A tenant's slots, or what one of its sessions left in some. */
  forget(tenant: string, session?: string): void {
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
    { source, cells, positions }: Pick<Beginning, 'source' | 'cells' | 'positions'>,
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
    const oldest = this.#leastRecentlyUsed(except);
    if (!oldest) return false;
    this.#demote(oldest);
    this.#drop(oldest);
    this.droppedSequences++;
    return true;
  }

  #leastRecentlyUsed(except: KvSlot | undefined): KvSlot | undefined {
    let oldest: KvSlot | undefined;
    for (const slot of this.#slots) {
      if (slot.busy || slot === except) continue;
      if (!oldest || slot.lastUsed < oldest.lastUsed) oldest = slot;
    }
    return oldest;
  }

  /** Saves what is about to be dropped, unless it is still there elsewhere. */
  #demote(slot: KvSlot): void {
    const { tenant, session, cells, resident } = slot;
    if (cells < this.#worthRestoringCells || !this.state.keepsAnything) return;
    const isIn = (other: KvSlot): boolean =>
      other !== slot &&
      other.tenant === tenant &&
      other.cells >= cells &&
      commonPrefix(other.resident, resident).cells === cells;
    if ([...this.#slots].some(isIn) || this.state.covers(tenant, resident)) return;
    this.#keep(slot, session === undefined ? undefined : { session });
  }

  #keep(slot: KvSlot, scope: Scope | undefined): void {
    this.state.keep({ tenant: slot.tenant, scope, segments: slot.snapshot() }, this.#memory.save(slot.id));
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
