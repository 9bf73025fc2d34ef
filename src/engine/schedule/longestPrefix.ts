import { commonPrefix } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';
import type { KvSlot } from './kvSlot.ts';

/** What a request wants of the cache. */
export interface Demand {
  readonly tenant: string;
  readonly session?: string | undefined;
  readonly prompt: readonly Segment[];
  readonly promptCells: number;
  /** Cells to keep free for the answer. */
  readonly outputTokens: number;
}

/** The slot that shares most with a prompt, and how much a running one will share once its own prompt is computed. */
export function longestPrefix(
  slots: Iterable<KvSlot>,
  demand: Demand,
): {
  source?: KvSlot;
  cells: number;
  positions: number;
  pendingCells: number;
} {
  let best: { source?: KvSlot; cells: number; positions: number } = { cells: 0, positions: 0 };
  let pendingCells = 0;
  for (const slot of slots) {
    if (slot.tenant !== demand.tenant) continue;
    const { cells, positions } = leaveOneToCompute(commonPrefix(slot.resident, demand.prompt), demand);
    // Of equally good slots an idle one without a tail is cheapest: it is taken over as it is.
    const better =
      cells > best.cells || (cells === best.cells && cells > 0 && slot.cells === cells && !slot.busy);
    if (better) best = { source: slot, cells, positions };
    if (slot.busy) {
      const planned = leaveOneToCompute(commonPrefix(slot.target, demand.prompt), demand);
      pendingCells = Math.max(pendingCells, planned.cells);
    }
  }
  return { ...best, pendingCells };
}

/** At least the last token of a prompt is computed again when an answer follows: its logits choose the first token. */
export function leaveOneToCompute(
  prefix: { cells: number; positions: number },
  demand: Demand,
): { cells: number; positions: number } {
  if (demand.outputTokens === 0 || prefix.cells < demand.promptCells) return prefix;
  return { cells: prefix.cells - 1, positions: prefix.positions - 1 };
}
