import { forEachPatch, type PatchGrid } from './patches.ts';

/**
 * Rotary positions for `ggml_rope_multi` in vision mode: four runs of one i32 per patch, (row, column, row, column).
 */
export function rotaryPositions(grid: PatchGrid, mergeSize: number): Int32Array {
  const patches = grid.rows * grid.columns;
  const positions = new Int32Array(4 * patches);
  forEachPatch(grid, mergeSize, (index, row, column) => {
    positions[index] = row;
    positions[patches + index] = column;
    positions[2 * patches + index] = row;
    positions[3 * patches + index] = column;
  });
  return positions;
}

/**
 * Resamples the learned position table [side, side, hidden] to one vector per patch, [patches, hidden]: bilinear with
 * aligned corners, source = i x (side - 1) / (n - 1) (`fast_pos_embed_interpolate` of Hugging Face transformers).
 */
export function positionEmbedding(
  table: Float32Array,
  side: number,
  hidden: number,
  grid: PatchGrid,
  mergeSize: number,
): Float32Array {
  const rows = samplePoints(grid.rows, side);
  const columns = samplePoints(grid.columns, side);
  const embedding = new Float32Array(grid.rows * grid.columns * hidden);
  forEachPatch(grid, mergeSize, (index, row, column) => {
    const y = rows[row] as SamplePoint;
    const x = columns[column] as SamplePoint;
    const corners = [
      { offset: (y.low * side + x.low) * hidden, weight: (1 - y.share) * (1 - x.share) },
      { offset: (y.low * side + x.high) * hidden, weight: (1 - y.share) * x.share },
      { offset: (y.high * side + x.low) * hidden, weight: y.share * (1 - x.share) },
      { offset: (y.high * side + x.high) * hidden, weight: y.share * x.share },
    ];
    const target = index * hidden;
    for (const { offset, weight } of corners) {
      for (let i = 0; i < hidden; i++) {
        embedding[target + i] = (embedding[target + i] as number) + weight * (table[offset + i] as number);
      }
    }
  });
  return embedding;
}

interface SamplePoint {
  readonly low: number;
  readonly high: number;
  /** Weight of `high`. */
  readonly share: number;
}

function samplePoints(count: number, side: number): SamplePoint[] {
  return Array.from({ length: count }, (_, index) => {
    const source = count > 1 ? (index * (side - 1)) / (count - 1) : 0;
    const low = Math.floor(source);
    return { low, high: Math.min(low + 1, side - 1), share: source - low };
  });
}
