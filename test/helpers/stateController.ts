import { failure } from '../../src/core/errors.ts';
import { PrefillRate } from '../../src/engine/schedule/prefillRate.ts';
import type { DiskObject, DiskTier } from '../../src/engine/state/diskTier.ts';
import { Planner } from '../../src/engine/state/planner.ts';
import { StateController } from '../../src/engine/state/stateController.ts';
import { rootKey } from '../../src/engine/state/stateKey.ts';
import { StateTree } from '../../src/engine/state/stateTree.ts';
import { silentLogger } from './silentLogger.ts';

/** The token that ends a turn in made-up prompts. */
export const endOfTurn = 9;

export function newStateController(
  options: {
    ramBytes?: number;
    disk?: DiskTier;
    ramIdleMs?: number;
    unownedTtlMs?: number;
    nowMs?: () => number;
  } = {},
): { controller: StateController; planner: Planner; tree: StateTree } {
  const root = { fingerprint: 'f', salt: new Uint8Array(32), adapter: '' };
  const tree = new StateTree(
    (tenant) => rootKey(tenant, root),
    (token) => token === endOfTurn,
  );
  const planner = new Planner(new PrefillRate());
  const defaults = { ramBytes: 0, ramIdleMs: 1_000, unownedTtlMs: 10_000, logger: silentLogger };
  return { controller: new StateController({ ...defaults, ...options, tree, planner }), planner, tree };
}

/** A disk tier in memory, whose writes and reads can be held up and made to fail. */
export class MemoryDisk implements DiskTier {
  readonly objects = new Map<string, DiskObject & { readonly body: Uint8Array }>();
  maxBytes = Number.POSITIVE_INFINITY;
  writes = 0;
  reads = 0;
  /** Awaited before each write, and before each read. */
  gate: Promise<void> = Promise.resolve();
  failing: Error | undefined;

  async write(
    object: Pick<DiskObject, 'kind' | 'tenant' | 'scope' | 'meta'>,
    body: Uint8Array,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<DiskObject> {
    await this.gate;
    signal?.throwIfAborted();
    if (this.failing) throw this.failing;
    if (body.length > this.maxBytes) {
      const { length: bytes } = body;
      throw failure('storage_full', { path: '', bytes, freeBytes: 1_000, reserveBytes: 0 });
    }
    const id = `object-${++this.writes}`;
    const written = { ...object, id, bytes: body.length, lastUsedMs: Date.now() };
    this.objects.set(id, { ...written, meta: JSON.parse(JSON.stringify(object.meta)), body: body.slice() });
    return written;
  }

  async read(id: string): Promise<{ body: Uint8Array; ms: number } | undefined> {
    await this.gate;
    this.reads++;
    const body = this.objects.get(id)?.body.slice();
    return body && { body, ms: 1 };
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.objects.delete(id);
  }

  async hold(): Promise<void> {}

  async forget(tenant: string, session?: string): Promise<string[]> {
    const gone = [...this.objects.values()]
      .filter(({ tenant: owner, scope }) => {
        if (owner !== tenant) return false;
        return session === undefined || ('session' in scope && scope.session === session);
      })
      .map(({ id }) => id);
    await this.remove(gone);
    return gone;
  }
}
