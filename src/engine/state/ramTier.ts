import { commonPrefix, type PrefixLength, totalCells } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';

/** Attention state of a sequence as bytes, and what it was computed from. Never changed once made. */
export interface Snapshot {
  readonly tenant: string;
  readonly session?: string | undefined;
  readonly segments: readonly Segment[];
  readonly cells: number;
  /** Only of this process: the native library can't tell what it is given. */
  readonly state: Uint8Array;
}

/**
 * Attention state that had to leave the cache, within a byte budget; least recently used out first. Holding a snapshot keeps it
 * alive beyond its time here.
 *
 * A look-up compares the prompt with every snapshot of the tenant: its cost grows with their number times the length they share
 * with the prompt.
 */
export class RamTier {
  readonly maxBytes: number;
  #bytes = 0;
  /** Least recently used first. */
  readonly #snapshots = new Set<Snapshot>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#snapshots.size;
  }

  /** Whether all of this can be brought back already; then it counts as used. */
  covers(tenant: string, segments: readonly Segment[]): boolean {
    const cells = totalCells(segments);
    const found = this.longestPrefix(tenant, segments);
    if (!found || found.prefix.cells < cells) return false;
    this.#touch(found.snapshot);
    return true;
  }

  /** Takes the place of snapshots that are a beginning of this one. One larger than the whole budget is not kept. */
  put(snapshot: Snapshot): void {
    if (snapshot.state.length > this.maxBytes) return;
    for (const older of this.#of(snapshot.tenant)) {
      if (commonPrefix(older.segments, snapshot.segments).cells === older.cells) this.delete(older);
    }
    this.#snapshots.add(snapshot);
    this.#bytes += snapshot.state.length;
    for (const oldest of this.#snapshots) {
      if (this.#bytes <= this.maxBytes) break;
      this.delete(oldest);
    }
  }

  /** The snapshot that shares most with a prompt. */
  longestPrefix(
    tenant: string,
    prompt: readonly Segment[],
  ): { readonly snapshot: Snapshot; readonly prefix: PrefixLength } | undefined {
    let best: { snapshot: Snapshot; prefix: PrefixLength } | undefined;
    for (const snapshot of this.#of(tenant)) {
      const prefix = commonPrefix(snapshot.segments, prompt);
      if (prefix.cells > (best?.prefix.cells ?? 0)) best = { snapshot, prefix };
    }
    return best;
  }

  /** Notes that it was brought back. */
  used(snapshot: Snapshot): void {
    if (this.#snapshots.has(snapshot)) this.#touch(snapshot);
  }

  delete(snapshot: Snapshot): void {
    if (this.#snapshots.delete(snapshot)) this.#bytes -= snapshot.state.length;
  }

  forget(tenant: string, session?: string): void {
    for (const snapshot of this.#of(tenant)) {
      if (session === undefined || snapshot.session === session) this.delete(snapshot);
    }
  }

  #of(tenant: string): Snapshot[] {
    return [...this.#snapshots].filter((snapshot) => snapshot.tenant === tenant);
  }

  #touch(snapshot: Snapshot): void {
    this.#snapshots.delete(snapshot);
    this.#snapshots.add(snapshot);
  }
}
