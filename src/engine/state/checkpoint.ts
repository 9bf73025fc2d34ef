import { totalCells, totalPositions } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';

/**
 * Whose state something is: one session's own, or what an image of the tenant is worth to every session that shows it.
 */
export type Scope = { readonly session: string } | { readonly image: string };

export const scopeName = (scope: Scope | undefined): string =>
  scope === undefined ? 'nobody' : 'session' in scope ? `session:${scope.session}` : `image:${scope.image}`;

/**
 * Attention state of one prompt, outside the engine's cache: as bytes in memory, as an object on disk, or both. What it is
 * the state of never changes; where it is does, by `StateController` and `RamTier` only.
 */
export class Checkpoint {
  readonly tenant: string;
  /** Undefined: of a request without a session. It is never written to disk, where nobody would remove it. */
  readonly scope: Scope | undefined;
  readonly segments: readonly Segment[];
  readonly cells: number;
  readonly positions: number;
  /** Size of the state. */
  readonly bytes: number;
  /** In memory. */
  state: Uint8Array | undefined;
  /** On disk. */
  diskId: string | undefined;
  /** It is being written to disk; aborting takes it out of the queue, if it is still there. */
  writing: AbortController | undefined;
  /** Requests that wait for it, or are about to use it: it stays in memory for them. */
  pins = 0;
  lastUsedMs: number;

  constructor(of: {
    tenant: string;
    scope: Scope | undefined;
    segments: readonly Segment[];
    bytes: number;
    lastUsedMs: number;
  }) {
    this.tenant = of.tenant;
    this.scope = of.scope;
    this.segments = of.segments;
    this.cells = totalCells(of.segments);
    this.positions = totalPositions(of.segments);
    this.bytes = of.bytes;
    this.lastUsedMs = of.lastUsedMs;
  }

  get isAnywhere(): boolean {
    return this.state !== undefined || this.diskId !== undefined;
  }
}
