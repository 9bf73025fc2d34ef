/**
 * A prompt as the engine sees it: runs of text tokens and images, in order. Two neighbouring text segments mean the same
 * as one; code that compares prompts must not depend on where a run was cut.
 */
export type Segment = TextSegment | ImageSegment;

export interface TextSegment {
  readonly kind: 'text';
  readonly tokens: readonly number[];
}

export interface ImageSegment {
  readonly kind: 'image';
  /** Identity of the features within a tenant: image digest and the size given to the encoder. */
  readonly key: string;
  /** Merged tokens per row and column; the image occupies columns x rows KV cells. */
  readonly columns: number;
  readonly rows: number;
}

/** KV cells a segment occupies. */
export function segmentCells(segment: Segment): number {
  return segment.kind === 'text' ? segment.tokens.length : segment.columns * segment.rows;
}

/**
 * How far a segment moves the M-RoPE position. An image advances by its longer side, not by its token count
 * (Qwen2-VL, "Multimodal Rotary Position Embedding").
 */
export function segmentPositions(segment: Segment): number {
  return segment.kind === 'text' ? segment.tokens.length : Math.max(segment.columns, segment.rows);
}
