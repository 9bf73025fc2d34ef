import { totalCells, totalPositions } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';
import { packTokens, unpackTokens } from './stateKey.ts';

/** What a snapshot's header says of its body. */
export interface SnapshotMeta {
  /** Text as base64 of little-endian u32 tokens, an image as its key and grid. */
  readonly segments: readonly (string | readonly [key: string, columns: number, rows: number])[];
  readonly cells: number;
  /** Next M-RoPE position. */
  readonly nPast: number;
  /** Size of the body. */
  readonly bytes: number;
}

export function snapshotMeta(segments: readonly Segment[], bytes: number): SnapshotMeta {
  return {
    segments: segments.map((segment) =>
      segment.kind === 'text'
        ? Buffer.from(packTokens(segment.tokens)).toString('base64')
        : [segment.key, segment.columns, segment.rows],
    ),
    cells: totalCells(segments),
    nPast: totalPositions(segments),
    bytes,
  };
}

/** Undefined when the numbers don't agree, which would be a bug of whoever wrote it: the header is authentic. */
export function segmentsOfMeta(meta: unknown): { segments: Segment[]; bytes: number } | undefined {
  const { segments: named, cells, nPast, bytes } = meta as SnapshotMeta;
  const segments = named.map((one): Segment => {
    if (typeof one === 'string') return { kind: 'text', tokens: unpackTokens(Buffer.from(one, 'base64')) };
    const [key, columns, rows] = one;
    return { kind: 'image', key, columns, rows };
  });
  return totalCells(segments) === cells && totalPositions(segments) === nPast
    ? { segments, bytes }
    : undefined;
}
