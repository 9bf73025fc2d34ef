import { type ImageSegment, type Segment, segmentCells, segmentPositions } from './segment.ts';

/** A length of prompt, in KV cells and in M-RoPE positions. */
export interface PrefixLength {
  readonly cells: number;
  readonly positions: number;
}

/** The longest prefix two prompts share: whole images and text up to any token, however their runs are cut. */
export function commonPrefix(a: readonly Segment[], b: readonly Segment[]): PrefixLength {
  let cells = 0;
  let positions = 0;
  let [segmentA, segmentB, tokenA, tokenB] = [0, 0, 0, 0];
  for (;;) {
    const x = a[segmentA];
    const y = b[segmentB];
    if (!x || !y) break;
    if (x.kind === 'text' && tokenA === x.tokens.length) {
      segmentA++;
      tokenA = 0;
    } else if (y.kind === 'text' && tokenB === y.tokens.length) {
      segmentB++;
      tokenB = 0;
    } else if (x.kind === 'text' && y.kind === 'text') {
      const run = Math.min(x.tokens.length - tokenA, y.tokens.length - tokenB);
      let same = 0;
      while (same < run && x.tokens[tokenA + same] === y.tokens[tokenB + same]) same++;
      cells += same;
      positions += same;
      if (same < run) break;
      tokenA += run;
      tokenB += run;
    } else if (x.kind === 'image' && y.kind === 'image' && isSameImage(x, y)) {
      cells += segmentCells(x);
      positions += segmentPositions(x);
      segmentA++;
      segmentB++;
    } else break;
  }
  return { cells, positions };
}

function isSameImage(a: ImageSegment, b: ImageSegment): boolean {
  return a.key === b.key && a.columns === b.columns && a.rows === b.rows;
}

export function totalCells(segments: readonly Segment[]): number {
  return segments.reduce((cells, segment) => cells + segmentCells(segment), 0);
}

export function totalPositions(segments: readonly Segment[]): number {
  return segments.reduce((positions, segment) => positions + segmentPositions(segment), 0);
}

/** A prompt's first `cells` cells. @throws RangeError when that ends inside an image or behind the prompt. */
export function takePrefix(segments: readonly Segment[], cells: number): Segment[] {
  const { segment, token } = borderAt(segments, cells);
  const cut = segments[segment];
  const taken = segments.slice(0, segment);
  if (token > 0 && cut?.kind === 'text') taken.push({ kind: 'text', tokens: cut.tokens.slice(0, token) });
  return taken;
}

/** A prompt without its first `cells` cells. @throws RangeError when that ends inside an image or behind the prompt. */
export function dropPrefix(segments: readonly Segment[], cells: number): Segment[] {
  const { segment, token } = borderAt(segments, cells);
  const cut = segments[segment];
  if (token === 0 || cut?.kind !== 'text') return segments.slice(segment);
  return [{ kind: 'text', tokens: cut.tokens.slice(token) }, ...segments.slice(segment + 1)];
}

/** Where a number of cells ends: before a segment, or before a token inside a text segment. */
function borderAt(segments: readonly Segment[], cells: number): { segment: number; token: number } {
  let rest = cells;
  let index = 0;
  for (const segment of segments) {
    const length = segmentCells(segment);
    if (rest < length) {
      if (rest < 0 || (rest > 0 && segment.kind === 'image')) break;
      return { segment: index, token: rest };
    }
    rest -= length;
    index++;
  }
  if (rest !== 0 || index < segments.length) {
    throw new RangeError(`a prompt of ${totalCells(segments)} cells has no border at ${cells}`);
  }
  return { segment: index, token: 0 };
}
