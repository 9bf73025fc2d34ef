import { type Segment, segmentCells } from '../prompt/segment.ts';
import type { Checkpoint } from '../state/checkpoint.ts';
import type { Found } from '../state/lookUp.ts';
import type { Plan, Planner, Way } from '../state/planner.ts';
import type { KvSlot } from './kvSlot.ts';
import { type Demand, leaveOneToCompute, type longestPrefix } from './longestPrefix.ts';

/** A prefix that is being computed elsewhere is waited for when it saves at least this much: a small picture. */
const worthWaitingCells = 32;

/** What a request may begin from: a prefix of a slot, a checkpoint that is brought back, or nothing. */
export interface Beginning {
  readonly source: KvSlot | undefined;
  readonly checkpoint: Checkpoint | undefined;
  /** Shared with the prompt. */
  readonly cells: number;
  readonly positions: number;
  readonly plan: Plan;
}

export type Admission =
  | ({ readonly kind: 'now' } & Beginning)
  /** It is cheapest to bring this from disk to memory first. */
  | { readonly kind: 'load'; readonly checkpoint: Checkpoint; readonly plan: Plan }
  /** Another sequence is just computing a longer common prefix: waiting for it is cheaper than computing it twice. */
  | { readonly kind: 'shared-prefix-pending' }
  | { readonly kind: 'full' };

/** What the decision looks at. */
export interface AdmissionView {
  readonly best: ReturnType<typeof longestPrefix>;
  readonly found: Found;
  /** Whether a request can run that begins so: cells, ids. */
  fits(beginning: Pick<Beginning, 'source' | 'checkpoint' | 'cells'>): boolean;
  /** Whether nobody has the features of an image of the tenant. */
  mustEncode(imageKey: string): boolean;
}

/** Pure: how a demand is best begun, by what its ways are estimated to take. Ways that don't fit are not taken. */
export function decideAdmission(demand: Demand, view: AdmissionView, planner: Planner): Admission {
  const { best, found } = view;
  if (best.pendingCells >= best.cells + worthWaitingCells) return { kind: 'shared-prefix-pending' };
  const ways = new Map<Way, Omit<Beginning, 'plan'>>();
  const offer = (tier: Way['tier'], beginning: Omit<Beginning, 'plan'>): void => {
    if (!view.fits(beginning)) return;
    const rest = {
      computeTokens: demand.promptCells - beginning.cells,
      encodeTokens: encodeTokens(demand.prompt, beginning.cells, view.mustEncode),
    };
    ways.set({ tier, bytes: beginning.checkpoint?.bytes ?? 0, ...rest }, beginning);
  };
  const { source, cells, positions } = best;
  offer(cells > 0 ? 'hot' : 'none', { source, checkpoint: undefined, cells, positions });
  for (const tier of ['ram', 'disk'] as const) {
    const match = found[tier];
    if (!match) continue;
    const restored = leaveOneToCompute(match.prefix, demand);
    offer(tier, { source: undefined, checkpoint: match.checkpoint, ...restored });
  }
  const [first, ...others] = ways.keys();
  if (!first) return { kind: 'full' };
  const way = planner.choose([first, ...others]);
  const beginning = ways.get(way) as Omit<Beginning, 'plan'>;
  const plan = { tier: way.tier, estimatedMs: planner.estimateMs(way) };
  if (way.tier === 'disk' && beginning.checkpoint) {
    return { kind: 'load', checkpoint: beginning.checkpoint, plan };
  }
  return { kind: 'now', ...beginning, plan };
}

/** Tokens of the images behind the first `cells` cells of a prompt that have to be encoded; each image once. */
function encodeTokens(
  prompt: readonly Segment[],
  cells: number,
  mustEncode: (imageKey: string) => boolean,
): number {
  const missing = new Map<string, number>();
  let start = 0;
  for (const segment of prompt) {
    if (start >= cells && segment.kind === 'image' && mustEncode(segment.key)) {
      missing.set(segment.key, segmentCells(segment));
    }
    start += segmentCells(segment);
  }
  return [...missing.values()].reduce((sum, tokens) => sum + tokens, 0);
}
