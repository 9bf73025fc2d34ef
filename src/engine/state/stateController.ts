import type { Logger } from '../ipc/logger.ts';
import { totalCells } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';
import { Checkpoint, type Scope } from './checkpoint.ts';
import { Checkpoints } from './checkpoints.ts';
import type { DiskObject, DiskTier } from './diskTier.ts';
import { DiskWriter } from './diskWriter.ts';
import { type Found, lookUp } from './lookUp.ts';
import type { Planner } from './planner.ts';
import { RamTier } from './ramTier.ts';
import { segmentsOfMeta } from './snapshotMeta.ts';
import type { StateTree } from './stateTree.ts';

export interface StateControllerOptions {
  readonly tree: StateTree;
  readonly planner: Planner;
  /** Memory for attention state outside the cache. */
  readonly ramBytes: number;
  /** None: what leaves memory is gone. */
  readonly disk?: DiskTier | undefined;
  /** State in memory that nobody used for this long goes to disk. */
  readonly ramIdleMs: number;
  /** State of requests without a session is dropped after this long without use. */
  readonly unownedTtlMs: number;
  /** Whether a session shows an image, or begins so. Default: one does. */
  readonly isUsed?: (tenant: string, image: string) => boolean;
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly nowMs?: () => number;
}

/**
 * Attention state outside the engine's cache: which checkpoints there are, in which tier, and when they move or end.
 *
 *     hot --keep--> ram --idle, pressure, shutdown--> disk
 *         <-------- ram <------------load----------- disk
 *
 * A checkpoint of a session takes the place of the session's shorter ones that it continues; one of an image stays as it is.
 * All of it is a cache: whatever is lost here is computed again.
 */
export class StateController {
  readonly ram: RamTier;
  /** Checkpoints that were dropped before they could be written. */
  lost = 0;
  readonly #options: StateControllerOptions;
  readonly #tree: StateTree;
  readonly #nowMs: () => number;
  readonly #writer: DiskWriter | undefined;
  readonly #all: Checkpoints;
  readonly #loads = new Map<Checkpoint, Promise<boolean>>();

  constructor(options: StateControllerOptions) {
    this.#options = options;
    this.#tree = options.tree;
    this.#all = new Checkpoints(options.tree);
    this.#nowMs = options.nowMs ?? Date.now;
    this.ram = new RamTier(options.ramBytes);
    const { disk, logger } = options;
    this.#writer =
      disk && new DiskWriter(disk, logger, (checkpoint, object) => this.#written(checkpoint, object));
  }

  get count(): number {
    return this.#tree.size;
  }

  get keepsAnything(): boolean {
    return this.ram.maxBytes > 0 || this.#options.disk !== undefined;
  }

  get writeFailures(): number {
    return this.#writer?.failures ?? 0;
  }

  /** Pure. */
  lookUp(tenant: string, prompt: readonly Segment[], minCells: number): Found {
    return lookUp(this.#tree, tenant, prompt, minCells);
  }

  /** Whether all of a prompt's state can be brought back; then that counts as used. */
  covers(tenant: string, segments: readonly Segment[]): boolean {
    const { ram, disk } = this.lookUp(tenant, segments, totalCells(segments));
    const checkpoint = (ram ?? disk)?.checkpoint;
    if (checkpoint) this.used(checkpoint);
    return checkpoint !== undefined;
  }

  /** Takes over state that was saved from the cache. */
  keep(
    of: { tenant: string; scope: Scope | undefined; segments: readonly Segment[] },
    state: Uint8Array,
  ): void {
    if (!this.#writer && state.length > this.ram.maxBytes) return;
    // Its last session may have ended since it was claimed: nobody would remove it.
    if (!this.#hasOwner(of)) return;
    const checkpoint = new Checkpoint({ ...of, bytes: state.length, lastUsedMs: this.#nowMs() });
    for (const older of this.#all.replacedBy(checkpoint)) {
      older.writing?.abort();
      this.ram.drop(older);
      this.#all.settle(older);
    }
    this.#all.add(checkpoint);
    this.ram.put(checkpoint, state);
    // What comes back after a crash: everything else of a session is only written when it is idle.
    if (of.scope && 'image' in of.scope && this.#writer?.canWrite(checkpoint))
      this.#writer.enqueue(checkpoint);
    this.#makeRoom();
  }

  /** Notes that it was brought back. */
  used(checkpoint: Checkpoint): void {
    checkpoint.lastUsedMs = this.#nowMs();
    this.ram.touch(checkpoint);
  }

  /** Brings state from disk to memory and pins it there until `unpin`. False: it is lost. Never rejects. */
  load(checkpoint: Checkpoint): Promise<boolean> {
    checkpoint.pins++;
    if (checkpoint.state) return Promise.resolve(true);
    let load = this.#loads.get(checkpoint);
    if (!load) {
      load = this.#load(checkpoint).finally(() => this.#loads.delete(checkpoint));
      this.#loads.set(checkpoint, load);
    }
    return load;
  }

  unpin(checkpoint: Checkpoint): void {
    checkpoint.pins--;
    if (checkpoint.pins === 0) this.#makeRoom();
  }

  /** It did not come back: nothing of it is kept. */
  discard(checkpoint: Checkpoint): void {
    const { diskId } = checkpoint;
    this.#drop(checkpoint);
    if (diskId !== undefined) this.#remove([diskId]);
  }

  /** Drops a tenant's state, or what is one session's alone, and the given images' state; from memory, and out of sight. */
  forget(tenant: string, session: string | undefined, images: Iterable<string>): void {
    const gone: Checkpoint[] =
      session === undefined ? this.#all.ofTenant(tenant) : this.#all.of(tenant, { session });
    for (const checkpoint of gone) this.#drop(checkpoint);
    for (const image of images) {
      for (const checkpoint of this.#all.of(tenant, { image })) {
        checkpoint.writing?.abort();
        this.ram.drop(checkpoint);
        this.#all.settle(checkpoint);
      }
    }
  }

  /** Objects were wiped with those who used them: what of them is in memory goes, too. */
  forgetObjects(ids: readonly string[]): void {
    for (const id of ids) {
      const checkpoint = this.#all.withObject(id);
      if (checkpoint) this.#drop(checkpoint);
    }
  }

  /** Objects are not on disk any more. */
  dropObjects(ids: readonly string[]): void {
    for (const id of ids) {
      const checkpoint = this.#all.withObject(id);
      if (!checkpoint) continue;
      this.#all.leftDisk(checkpoint);
      this.#all.settle(checkpoint);
    }
  }

  /** Takes a snapshot that was found on disk into the tree. */
  found(object: DiskObject): void {
    const { id, tenant, scope, lastUsedMs, meta } = object;
    const told = segmentsOfMeta(meta);
    if (!told) {
      this.#remove([id]);
      return;
    }
    const checkpoint = new Checkpoint({ ...told, tenant, scope, lastUsedMs });
    this.#all.isOnDisk(checkpoint, id);
    this.#all.add(checkpoint);
  }

  /** Moves what has been idle down a tier, and drops what nobody owns any more. Call it every second or so. */
  tick(): void {
    const { ramIdleMs, unownedTtlMs } = this.#options;
    const now = this.#nowMs();
    for (const checkpoint of this.ram) {
      if (checkpoint.pins > 0) continue;
      const idleMs = now - checkpoint.lastUsedMs;
      if (checkpoint.scope === undefined && idleMs >= unownedTtlMs) this.#drop(checkpoint);
      else if (idleMs >= ramIdleMs) this.#demote(checkpoint);
    }
  }

  /** Writes everything that is somebody's to disk, the last used first; what is not written by the deadline is left. */
  async suspend(deadline: AbortSignal): Promise<void> {
    const dirty = [...this.ram].filter((checkpoint) => checkpoint.diskId === undefined).reverse();
    await this.#writer?.writeAll(dirty, deadline);
  }

  /** Every checkpoint that is this session's, or of these images. */
  *ofSession(tenant: string, session: string, images: Iterable<string>): Generator<Checkpoint, void> {
    yield* this.#all.of(tenant, { session });
    for (const image of images) yield* this.#all.of(tenant, { image });
  }

  async #load(checkpoint: Checkpoint): Promise<boolean> {
    const { disk, planner, logger } = this.#options;
    const { diskId } = checkpoint;
    if (!disk || diskId === undefined) return false;
    let read: Awaited<ReturnType<DiskTier['read']>>;
    try {
      read = await disk.read(diskId);
    } catch (error) {
      logger.warn({ reason: String(error) }, 'state: a snapshot could not be read');
    }
    if (!this.#all.has(checkpoint)) return false;
    if (read?.body.length !== checkpoint.bytes) {
      this.dropObjects([diskId]);
      return false;
    }
    planner.disk.note(read.body.length, read.ms);
    this.ram.put(checkpoint, read.body);
    this.used(checkpoint);
    this.#makeRoom();
    return true;
  }

  /** Memory is given back by the least recently used: at once if the state is on disk too, else when it is. */
  #makeRoom(): void {
    let excess = this.ram.bytes - this.ram.maxBytes;
    for (const checkpoint of this.ram) {
      if (excess <= 0) return;
      if (checkpoint.pins > 0) continue;
      excess -= checkpoint.bytes;
      this.#demote(checkpoint);
    }
    if (this.#writer && !this.#writer.isBehind(this.ram)) return;
    for (const checkpoint of this.ram) {
      if (this.ram.bytes <= this.ram.maxBytes) return;
      if (checkpoint.pins > 0 || checkpoint.diskId !== undefined) continue;
      this.lost++;
      this.#drop(checkpoint);
    }
  }

  #demote(checkpoint: Checkpoint): void {
    if (checkpoint.diskId !== undefined) {
      this.ram.drop(checkpoint);
      return;
    }
    if (!this.#hasOwner(checkpoint)) this.#drop(checkpoint);
    else if (this.#writer?.canWrite(checkpoint)) this.#writer.enqueue(checkpoint);
    else if (this.ram.bytes > this.ram.maxBytes) {
      this.lost++;
      this.#drop(checkpoint);
    }
  }

  #written(checkpoint: Checkpoint, object: DiskObject): void {
    if (!this.#all.has(checkpoint)) {
      this.#remove([object.id]);
      return;
    }
    this.#all.isOnDisk(checkpoint, object.id);
    // What it continues is of no more use there.
    const older = this.#all.replacedBy(checkpoint).flatMap(({ diskId }) => diskId ?? []);
    this.dropObjects(older);
    this.#remove(older);
    const idleMs = this.#nowMs() - checkpoint.lastUsedMs;
    const isWanted =
      checkpoint.pins > 0 || (idleMs < this.#options.ramIdleMs && this.ram.bytes <= this.ram.maxBytes);
    if (!isWanted) this.ram.drop(checkpoint);
  }

  /** False for what is an image's that no session shows; what is no session's is nobody's from the beginning. */
  #hasOwner({ tenant, scope }: Pick<Checkpoint, 'tenant' | 'scope'>): boolean {
    const { isUsed = () => true } = this.#options;
    return scope === undefined || !('image' in scope) || isUsed(tenant, scope.image);
  }

  #drop(checkpoint: Checkpoint): void {
    checkpoint.writing?.abort();
    this.ram.drop(checkpoint);
    this.#all.leftDisk(checkpoint);
    this.#all.settle(checkpoint);
  }

  #remove(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#options.disk?.remove(ids).catch((error) => {
      this.#options.logger.warn({ reason: String(error) }, 'state: objects could not be removed');
    });
  }
}
