import type { InferencePort } from '../core/inference.ts';
import type { GenerateRequest } from '../core/request.ts';
import { requestLimits } from '../core/validateRequest.ts';
import { outputsOfCalls } from './functionCalls.ts';
import type { StoredItem } from './items.ts';
import { isSystem } from './render.ts';

/** Of the context an answer gets when the request doesn't say how long it may be: at most this share. */
const answerShare = 1 / 4;

/** Items without the oldest `count` that can be left out: system messages always stay, reasoning is never shown anyway. */
export function withoutOldest(items: readonly StoredItem[], count: number): StoredItem[] {
  let left = count;
  return items.filter((item) => !(isDroppable(item) && left-- > 0));
}

/** What is left out grows in steps of this share of the context, so that it stays the same from turn to turn until the next one. */
const stepShare = 1 / 4;

/**
 * How many items must be left out, oldest first, for prompt and answer to fit, of `contextCount` leading ones. What is missing is
 * rounded up to whole steps: every turn past the limit would else begin differently, and nothing of its prompt be reused. When
 * whole steps can't be left out, the fewest that make room. Calls and outputs that belong together go together; what comes after the context stays, and so does a call it answers.
 * When nothing fits, the most that can be left out: the engine then says by how much it is too long.
 * Costs one count of tokens when everything fits, else about log2 of the items more, twice that when steps are too large.
 */
export async function itemsToDrop(
  items: readonly StoredItem[],
  contextCount: number,
  {
    engine,
    promptOf,
    maxOutputTokens,
  }: {
    engine: Pick<InferencePort, 'countTokens'>;
    promptOf: (items: readonly StoredItem[]) => GenerateRequest;
    /** Undefined: the request doesn't say. */
    maxOutputTokens: number | undefined;
  },
): Promise<number> {
  const tokensWithout = async (count: number) => engine.countTokens(promptOf(withoutOldest(items, count)));
  const { promptTokens: all, limit } = await tokensWithout(0);
  const { defaultMaxOutputTokens } = requestLimits;
  const answer = maxOutputTokens ?? Math.min(defaultMaxOutputTokens, Math.floor(limit * answerShare));
  const missing = all + answer - limit;
  if (missing <= 0) return 0;
  const counts = droppableCounts(items, contextCount);
  const fewestFor = async (tokens: number): Promise<number | undefined> => {
    let [low, high] = [0, counts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((await tokensWithout(counts[middle] as number)).promptTokens <= all - tokens) high = middle;
      else low = middle + 1;
    }
    return counts[low];
  };
  const step = Math.max(1, Math.floor(limit * stepShare));
  const rounded = Math.ceil(missing / step) * step;
  return (await fewestFor(rounded)) ?? (await fewestFor(missing)) ?? counts.at(-1) ?? 0;
}

/** How many items can be left out without tearing apart what belongs together, ascending, without 0. */
export function droppableCounts(items: readonly StoredItem[], contextCount: number): number[] {
  const indexOf = new Map(items.map((item, index) => [item, index]));
  /** By index: the last item that must go, or stay, with this one. */
  const bound = items.map((_, index) => index);
  const bind = (first: number, last: number) => {
    bound[first] = Math.max(bound[first] ?? 0, last);
  };
  for (const [call, output] of outputsOfCalls(items)) {
    bind(indexOf.get(call) as number, indexOf.get(output) as number);
  }
  for (const [index, item] of items.entries()) {
    const before = items[index - 1];
    const isAnswer =
      before?.type === 'function_call' || (before?.type === 'message' && before.role === 'assistant');
    if (item.type === 'function_call' && isAnswer) bind(index - 1, index);
  }
  const counts: number[] = [];
  let [count, lastBound] = [0, -1];
  for (const [index, item] of items.slice(0, contextCount).entries()) {
    lastBound = Math.max(lastBound, bound[index] as number);
    if (isDroppable(item)) count++;
    if (lastBound <= index && count > (counts.at(-1) ?? 0)) counts.push(count);
  }
  return counts;
}

const isDroppable = (item: StoredItem): boolean => item.type !== 'reasoning' && !isSystem(item);
