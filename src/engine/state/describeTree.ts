import type { StateNode } from '../../core/request.ts';
import { type Segment, segmentCells } from '../prompt/segment.ts';
import { childKey } from './stateKey.ts';
import type { StateTree } from './stateTree.ts';

/** State of one prompt in one place. */
export interface HeldState {
  readonly segments: readonly Segment[];
  readonly tier: 'hot' | 'ram' | 'disk';
  readonly bytes: number;
}

/** The features of the session's images. */
export interface HeldFeatures {
  /** Keys with the tokens each image has. */
  readonly images: ReadonlyMap<string, number>;
  /** 0: none are kept. */
  readonly bytesOf: (imageKey: string) => number;
}

/**
 * The tree that prompts make, with what is held at each node; parents come before their children. What a prompt has behind its
 * last border is a node of its own, and so is an image that only features are kept of. Keys are cut to 12 characters.
 */
export function describeTree(
  tenant: string,
  held: readonly HeldState[],
  tree: StateTree,
  { images, bytesOf }: HeldFeatures,
): StateNode[] {
  const shown = new Set<string>();
  const nodes = new Map<string, { -readonly [Field in keyof StateNode]: StateNode[Field] }>();
  for (const { segments, tier, bytes } of held) {
    const path = tree.keysOf(tenant, segments);
    const rest = tree.restOf(segments);
    if (rest) path.push({ key: childKey(path.at(-1)?.key as string, rest), segment: rest });
    let parent: string | null = null;
    for (const { key, segment } of path) {
      const name = key.slice(0, 12);
      if (segment && !nodes.has(name)) {
        const { kind } = segment;
        const features = segment.kind === 'image' ? bytesOf(segment.key) : 0;
        if (segment.kind === 'image') shown.add(segment.key);
        const tiers = features > 0 ? { features } : {};
        nodes.set(name, { key: name, parent, kind, tokens: segmentCells(segment), tiers });
      }
      if (segment) parent = name;
    }
    const last = parent === null ? undefined : nodes.get(parent);
    if (last) last.tiers = { ...last.tiers, [tier]: (last.tiers[tier] ?? 0) + bytes };
  }
  for (const [imageKey, tokens] of images) {
    const features = shown.has(imageKey) ? 0 : bytesOf(imageKey);
    const key = imageKey.replace(/^sha256:/, '').slice(0, 12);
    if (features > 0) nodes.set(key, { key, parent: null, kind: 'image', tokens, tiers: { features } });
  }
  return [...nodes.values()];
}
