import { type Checkpoint, type Scope, scopeName } from './checkpoint.ts';
import type { StateTree } from './stateTree.ts';

/** All checkpoints there are: by prompt in the tree, by whose they are, and by the object they have on disk. */
export class Checkpoints {
  readonly #tree: StateTree;
  readonly #byScope = new Map<string, Set<Checkpoint>>();
  readonly #byDiskId = new Map<string, Checkpoint>();

  constructor(tree: StateTree) {
    this.#tree = tree;
  }

  add(checkpoint: Checkpoint): void {
    this.#tree.add(checkpoint);
    const key = indexKey(checkpoint.tenant, checkpoint.scope);
    const index = this.#byScope.get(key) ?? new Set();
    this.#byScope.set(key, index.add(checkpoint));
  }

  has(checkpoint: Checkpoint): boolean {
    return this.#tree.has(checkpoint);
  }

  of(tenant: string, scope: Scope): Checkpoint[] {
    return [...(this.#byScope.get(indexKey(tenant, scope)) ?? [])];
  }

  ofTenant(tenant: string): Checkpoint[] {
    return [...this.#tree].filter((checkpoint) => checkpoint.tenant === tenant);
  }

  /** Shorter checkpoints of the same session that it continues, and nobody waits for; an image's replaces none. */
  replacedBy(checkpoint: Checkpoint): Checkpoint[] {
    const { tenant, scope, segments } = checkpoint;
    if (scope && 'image' in scope) return [];
    return [...this.#tree.beginningsOf(tenant, segments)].filter(
      (older) => older !== checkpoint && scopeName(older.scope) === scopeName(scope) && older.pins === 0,
    );
  }

  isOnDisk(checkpoint: Checkpoint, id: string): void {
    checkpoint.diskId = id;
    this.#byDiskId.set(id, checkpoint);
  }

  /** Its object is gone, if it had one. */
  leftDisk(checkpoint: Checkpoint): void {
    if (checkpoint.diskId !== undefined) this.#byDiskId.delete(checkpoint.diskId);
    checkpoint.diskId = undefined;
  }

  withObject(id: string): Checkpoint | undefined {
    return this.#byDiskId.get(id);
  }

  /** Forgets it when it is nowhere any more. */
  settle(checkpoint: Checkpoint): void {
    if (checkpoint.isAnywhere) return;
    this.#tree.delete(checkpoint);
    const key = indexKey(checkpoint.tenant, checkpoint.scope);
    const index = this.#byScope.get(key);
    index?.delete(checkpoint);
    if (index?.size === 0) this.#byScope.delete(key);
  }
}

const indexKey = (tenant: string, scope: Scope | undefined): string =>
  JSON.stringify([tenant, scopeName(scope)]);
