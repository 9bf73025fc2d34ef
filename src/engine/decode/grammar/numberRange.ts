import { type Gbnf, nothing } from './rules.ts';

/** Bounds of a number; `undefined` is none. */
export interface NumberRange {
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly minIsOpen: boolean;
  readonly maxIsOpen: boolean;
}

const maxDigits = 15;

/**
 * Alternatives for the whole numbers from `min` to `max`, both included, at most 15 digits long.
 * Empty when there are none.
 */
export function wholeNumbers(min: number | undefined, max: number | undefined): Gbnf[] {
  const alternatives: Gbnf[] = [];
  if (min === undefined || min < 0) {
    const least = max === undefined || max >= 0 ? 1 : -max;
    alternatives.push(
      ...magnitudes(least, min === undefined ? undefined : -min).map((digits) => `"-" ${digits}`),
    );
  }
  if (max === undefined || max >= 0) alternatives.push(...magnitudes(Math.max(min ?? 0, 0), max));
  return alternatives;
}

/**
 * Alternatives for decimal numbers within bounds that are whole numbers. They have no exponent, and so few digits that
 * none is rounded across a bound.
 */
export function decimals({ min, max, minIsOpen, maxIsOpen }: NumberRange): Gbnf[] {
  const alternatives: Gbnf[] = [];
  if (min === undefined || min < 0) {
    const negative = max !== undefined && max < 0;
    const from = negative ? -max : 0;
    const parts = magnitudeDecimals({
      min: from,
      // Minus zero is left to the positive numbers, as zero.
      minIsOpen: negative ? maxIsOpen : true,
      max: min === undefined ? undefined : -min,
      maxIsOpen: minIsOpen,
    });
    alternatives.push(...parts.map((part) => `"-" ${part}`));
  }
  if (max === undefined || max >= 0) {
    const positive = min !== undefined && min >= 0;
    const from = positive ? min : 0;
    alternatives.push(...magnitudeDecimals({ min: from, minIsOpen: positive && minIsOpen, max, maxIsOpen }));
  }
  return alternatives;
}

function magnitudeDecimals(range: NumberRange): Gbnf[] {
  const { min = 0, max, minIsOpen, maxIsOpen } = range;
  if (max !== undefined && (max < min || (max === min && (minIsOpen || maxIsOpen)))) return [];
  const longest = max === undefined ? maxDigits - 3 : String(max).length;
  const digits = Math.max(1, maxDigits - longest);
  const zeros = `("." "0"{1,${digits}})?`;
  if (max === min) return [`"${min}" ${zeros}`];
  const fraction = `("." [0-9]{1,${digits}})?`;
  const aboveZero = `"." "0"{0,${digits - 1}} [1-9] [0-9]{0,3}`;
  const alternatives = [`"${min}" ${minIsOpen ? aboveZero : fraction}`];
  const between = magnitudes(min + 1, max === undefined ? undefined : max - 1, longest);
  alternatives.push(...between.map((whole) => `${whole} ${fraction}`));
  if (max !== undefined && !maxIsOpen) alternatives.push(`"${max}" ${zeros}`);
  return alternatives;
}

/** Alternatives for whole numbers of at least 0 and at most `longest` digits. */
function magnitudes(min: number, max: number | undefined, longest = maxDigits): Gbnf[] {
  if (max !== undefined && max < min) return [];
  const alternatives: Gbnf[] = [];
  const last = String(max ?? 10 ** longest - 1);
  let from = String(min);
  while (from.length < last.length && !(max === undefined && /^10*$/.test(from))) {
    alternatives.push(sameLength(from, '9'.repeat(from.length)));
    from = `1${'0'.repeat(from.length)}`;
  }
  if (max === undefined && /^10*$/.test(from)) {
    alternatives.push(`[1-9] [0-9]{${from.length - 1},${longest - 1}}`);
  } else alternatives.push(sameLength(from, last));
  return alternatives;
}

/** Digits from `from` to `to`, which are equally long. */
function sameLength(from: string, to: string): Gbnf {
  if (from === '') return nothing;
  const rest = from.length - 1;
  const any = rest > 0 ? ` [0-9]{${rest}}` : '';
  if (/^0*$/.test(from.slice(1)) && /^9*$/.test(to.slice(1))) return `[${from[0]}-${to[0]}]${any}`;
  const [a, b] = [Number(from[0]), Number(to[0])];
  if (a === b) return `"${a}" ${sameLength(from.slice(1), to.slice(1))}`;
  const alternatives = [`"${a}" ${sameLength(from.slice(1), '9'.repeat(rest))}`];
  if (b - a > 1) alternatives.push(`[${a + 1}-${b - 1}]${any}`);
  alternatives.push(`"${b}" ${sameLength('0'.repeat(rest), to.slice(1))}`);
  return `(${alternatives.join(' | ')})`;
}
