import type { PrefixLength } from '../prompt/commonPrefix.ts';
import { type Segment, segmentCells, segmentPositions } from '../prompt/segment.ts';
import type { Checkpoint } from './checkpoint.ts';
import { cutPrompt } from './promptBorders.ts';
import { childKey } from './stateKey.ts';

/** A state key at a segment border. */
interface Node {
  readonly key: string;
  readonly parent: Node | undefined;
  /** What it adds to its parent's prompt; none at a root. */
  readonly segment: Segment | undefined;
  readonly cells: number;
  readonly positions: number;
  readonly children: Set<Node>;
  /** State of this node's prompt, and perhaps of some tokens more, that don't end a turn. */
  readonly held: Map<Checkpoint, readonly number[]>;
}

export interface Match {
  readonly checkpoint: Checkpoint;
  /** What it shares with the prompt. */
  readonly prefix: PrefixLength;
}

/**
 * Checkpoints by the prompts they are the state of. Nodes lie at segment borders, never inside an image; a checkpoint hangs at the
 * last border of its prompt.
 *
 * A look-up hashes the prompt once and follows it from its root: its cost grows with the prompt's length and with what hangs
 * at the border where the prompt leaves the tree, not with all that is kept. A token takes 8 bytes of memory here, once
 * for all checkpoints that share it.
 */
export class StateTree {
  readonly #nodes = new Map<string, Node>();
  readonly #places = new Map<Checkpoint, Node>();
  readonly #rootKeyOf: (tenant: string) => string;
  readonly #endsTurn: (token: number) => boolean;

  constructor(rootKeyOf: (tenant: string) => string, endsTurn: (token: number) => boolean) {
    this.#rootKeyOf = rootKeyOf;
    this.#endsTurn = endsTurn;
  }

  get size(): number {
    return this.#places.size;
  }

  [Symbol.iterator](): IterableIterator<Checkpoint> {
    return this.#places.keys();
  }

  has(checkpoint: Checkpoint): boolean {
    return this.#places.has(checkpoint);
  }

  add(checkpoint: Checkpoint): void {
    const { whole, tail } = cutPrompt(checkpoint.segments, this.#endsTurn);
    let node = this.#root(checkpoint.tenant);
    for (const segment of whole) node = this.#child(node, segment);
    node.held.set(checkpoint, tail);
    this.#places.set(checkpoint, node);
  }

  delete(checkpoint: Checkpoint): void {
    let node = this.#places.get(checkpoint);
    this.#places.delete(checkpoint);
    node?.held.delete(checkpoint);
    while (node && node.held.size === 0 && node.children.size === 0) {
      this.#nodes.delete(node.key);
      node.parent?.children.delete(node);
      node = node.parent;
    }
  }

  /** What shares more than nothing with a prompt, the longest prefix first. Don't change the tree meanwhile. */
  *search(tenant: string, prompt: readonly Segment[]): Generator<Match, void> {
    const { whole, tail } = cutPrompt(prompt, this.#endsTurn);
    const path = this.#path(tenant, whole);
    for (let depth = path.length - 1; depth >= 0; depth--) {
      const node = path[depth] as Node;
      const next = whole[depth] ?? { kind: 'text', tokens: tail };
      const nextTokens = next.kind === 'text' ? next.tokens : [];
      const partings: { shared: number; checkpoints: () => Iterable<Checkpoint> }[] = [];
      for (const [checkpoint, own] of node.held) {
        partings.push({ shared: commonTokens(own, nextTokens), checkpoints: () => [checkpoint] });
      }
      for (const child of node.children) {
        if (child === path[depth + 1]) continue;
        const own = child.segment?.kind === 'text' ? child.segment.tokens : [];
        partings.push({ shared: commonTokens(own, nextTokens), checkpoints: () => below(child) });
      }
      partings.sort((a, b) => b.shared - a.shared);
      for (const { shared, checkpoints } of partings) {
        const prefix = { cells: node.cells + shared, positions: node.positions + shared };
        if (prefix.cells === 0) return;
        for (const checkpoint of checkpoints()) yield { checkpoint, prefix };
      }
    }
  }

  /** Checkpoints of which a prompt is a continuation, or which are of this very prompt. */
  *beginningsOf(tenant: string, prompt: readonly Segment[]): Generator<Checkpoint, void> {
    const { whole, tail } = cutPrompt(prompt, this.#endsTurn);
    for (const [depth, node] of this.#path(tenant, whole).entries()) {
      const next = whole[depth] ?? { kind: 'text', tokens: tail };
      const nextTokens = next.kind === 'text' ? next.tokens : [];
      for (const [checkpoint, own] of node.held) {
        if (commonTokens(own, nextTokens) === own.length) yield checkpoint;
      }
    }
  }

  /** The state keys of a prompt's borders, its root's first: names that tell two prompts apart, and nothing of what they say. */
  keysOf(tenant: string, prompt: readonly Segment[]): { key: string; segment: Segment | undefined }[] {
    const keys: { key: string; segment: Segment | undefined }[] = [
      { key: this.#rootKeyOf(tenant), segment: undefined },
    ];
    for (const segment of cutPrompt(prompt, this.#endsTurn).whole) {
      keys.push({ key: childKey(keys.at(-1)?.key as string, segment), segment });
    }
    return keys;
  }

  /** What a prompt has behind its last border. */
  restOf(prompt: readonly Segment[]): Segment | undefined {
    const { tail } = cutPrompt(prompt, this.#endsTurn);
    return tail.length > 0 ? { kind: 'text', tokens: tail } : undefined;
  }

  /** The nodes of a prompt's borders as far as they exist. */
  #path(tenant: string, whole: readonly Segment[]): Node[] {
    const path: Node[] = [];
    let key = this.#rootKeyOf(tenant);
    for (let depth = 0; ; depth++) {
      const node = this.#nodes.get(key);
      if (!node) return path;
      path.push(node);
      const next = whole[depth];
      if (!next) return path;
      key = childKey(key, next);
    }
  }

  #root(tenant: string): Node {
    const key = this.#rootKeyOf(tenant);
    return this.#nodes.get(key) ?? this.#put({ key, parent: undefined, segment: undefined });
  }

  #child(parent: Node, segment: Segment): Node {
    const key = childKey(parent.key, segment);
    return this.#nodes.get(key) ?? this.#put({ key, parent, segment });
  }

  #put(named: Pick<Node, 'key' | 'parent' | 'segment'>): Node {
    const { key, parent, segment } = named;
    const node: Node = {
      ...named,
      cells: (parent?.cells ?? 0) + (segment ? segmentCells(segment) : 0),
      positions: (parent?.positions ?? 0) + (segment ? segmentPositions(segment) : 0),
      children: new Set(),
      held: new Map(),
    };
    parent?.children.add(node);
    this.#nodes.set(key, node);
    return node;
  }
}

function commonTokens(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let same = 0;
  while (same < most && a[same] === b[same]) same++;
  return same;
}

function* below(node: Node): Generator<Checkpoint, void> {
  yield* node.held.keys();
  for (const child of node.children) yield* below(child);
}
