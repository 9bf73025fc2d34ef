import type { Segment } from '../prompt/segment.ts';
import type { Match, StateTree } from './stateTree.ts';

/** The checkpoint of each tier that shares most with a prompt. */
export interface Found {
  readonly ram?: Match;
  /** Only when it shares more than `ram`. */
  readonly disk?: Match;
}

/** Pure. Shorter prefixes than `minCells` are not looked for; of equally long ones what is smaller to load is taken. */
export function lookUp(tree: StateTree, tenant: string, prompt: readonly Segment[], minCells: number): Found {
  let ram: Match | undefined;
  let disk: Match | undefined;
  for (const match of tree.search(tenant, prompt)) {
    const { cells } = match.prefix;
    if (cells < minCells || (ram && cells < ram.prefix.cells)) break;
    const isInRam = match.checkpoint.state !== undefined;
    if (isInRam && isBetter(match, ram)) ram = match;
    if (!isInRam && !ram && isBetter(match, disk)) disk = match;
  }
  return { ...(ram && { ram }), ...(disk && (!ram || disk.prefix.cells > ram.prefix.cells) && { disk }) };
}

function isBetter(match: Match, than: Match | undefined): boolean {
  if (!than) return true;
  const [cells, best] = [match.prefix.cells, than.prefix.cells];
  return cells > best || (cells === best && match.checkpoint.bytes < than.checkpoint.bytes);
}
