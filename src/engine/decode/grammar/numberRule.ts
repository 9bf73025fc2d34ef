import type { JsonRules } from './jsonRules.ts';
import { decimals, wholeNumbers } from './numberRange.ts';
import type { Gbnf, GrammarRules } from './rules.ts';
import type { SchemaNode } from './schemaNode.ts';

/** Numbers in a grammar have at most 15 digits before the point, so farther bounds bound nothing. */
const farthest = 1e15;
/** Behind this many digits too few are left after the point to stay within bounds. */
const farthestDecimal = 1e11;

/** Whole numbers within any bounds; others within bounds that are whole numbers. */
export function numberRule(
  type: 'integer' | 'number',
  node: SchemaNode,
  json: JsonRules,
  rules: GrammarRules,
): Gbnf {
  const step = node.number('multipleOf');
  if (
    step !== undefined &&
    !(step === 1 || (type === 'integer' && step > 0 && step < 1 && Number.isInteger(1 / step)))
  ) {
    node.refuse('multipleOf', `${step} cannot be enforced`);
  }
  const isWhole = type === 'integer' || step === 1;
  const low = tighter(node, 'minimum', 'exclusiveMinimum', (a, b) => a > b);
  const high = tighter(node, 'maximum', 'exclusiveMaximum', (a, b) => a < b);
  const min = low && low.bound > -farthest ? low : undefined;
  const max = high && high.bound < farthest ? high : undefined;
  if (!min && !max) return isWhole ? json.integer : json.number;

  let alternatives: Gbnf[];
  if (isWhole) {
    const from = min && (min.isOpen ? Math.floor(min.bound) + 1 : Math.ceil(min.bound));
    const to = max && (max.isOpen ? Math.ceil(max.bound) - 1 : Math.floor(max.bound));
    checkNear(node, [from, to], farthest);
    // Minus zero has one spelling: 0.
    alternatives =
      from !== undefined && to !== undefined && from > to ? [] : wholeNumbers(plus(from), plus(to));
  } else {
    for (const end of [min, max]) {
      if (end && !Number.isInteger(end.bound)) {
        node.refuse(
          end.keyword,
          `only whole numbers can be enforced as bounds of a number, got ${end.bound}`,
        );
      }
    }
    checkNear(node, [min?.bound, max?.bound], farthestDecimal);
    alternatives = decimals({
      min: plus(min?.bound),
      max: plus(max?.bound),
      minIsOpen: min?.isOpen ?? false,
      maxIsOpen: max?.isOpen ?? false,
    });
  }
  if (alternatives.length === 0) node.refuse(max?.keyword ?? 'type', 'no number fits the bounds');
  return rules.add(alternatives.join(' | '));
}

interface End {
  readonly keyword: string;
  readonly bound: number;
  readonly isOpen: boolean;
}

function tighter(
  node: SchemaNode,
  closed: string,
  open: string,
  isTighter: (a: number, b: number) => boolean,
): End | undefined {
  const [included, excluded] = [node.number(closed), node.number(open)];
  if (excluded !== undefined && (included === undefined || !isTighter(included, excluded))) {
    return { keyword: open, bound: excluded, isOpen: true };
  }
  return included === undefined ? undefined : { keyword: closed, bound: included, isOpen: false };
}

function checkNear(node: SchemaNode, bounds: readonly (number | undefined)[], limit: number): void {
  const far = bounds.find((bound) => bound !== undefined && Math.abs(bound) > limit);
  if (far !== undefined) node.refuse('type', `bounds beyond ${limit} cannot be enforced, got ${far}`);
}

function plus(bound: number | undefined): number | undefined {
  return bound === 0 ? 0 : bound;
}
