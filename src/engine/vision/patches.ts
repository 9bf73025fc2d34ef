/** The part of the vision hyperparameters that says how pixels are cut and scaled. */
export interface PatchLayout {
  /** Pixels per side of a patch. */
  readonly patchSize: number;
  /** Patches per side of a merged token. */
  readonly mergeSize: number;
  /** Per channel R, G, B, for pixels in 0 to 1. */
  readonly imageMean: readonly number[];
  readonly imageStd: readonly number[];
}

/** Patches of one picture; both sides are multiples of the merge size. */
export interface PatchGrid {
  readonly rows: number;
  readonly columns: number;
}

/** @throws RangeError for sides the preprocessor must never produce. */
export function patchGrid(
  width: number,
  height: number,
  { patchSize, mergeSize }: Pick<PatchLayout, 'patchSize' | 'mergeSize'>,
): PatchGrid {
  const unit = patchSize * mergeSize;
  if (!(width >= unit && height >= unit) || width % unit !== 0 || height % unit !== 0) {
    throw new RangeError(`a picture of ${width}x${height} px is not a multiple of ${unit} px`);
  }
  return { rows: height / patchSize, columns: width / patchSize };
}

/**
 * Calls `visit(index, row, column)` for every patch in the order the tower works in: merge blocks row by row, and the
 * patches of a block row by row within it, so that the patches of one merged token are neighbours.
 */
export function forEachPatch(
  { rows, columns }: PatchGrid,
  mergeSize: number,
  visit: (index: number, row: number, column: number) => void,
): void {
  let index = 0;
  for (let blockRow = 0; blockRow < rows; blockRow += mergeSize) {
    for (let blockColumn = 0; blockColumn < columns; blockColumn += mergeSize) {
      for (let y = 0; y < mergeSize; y++) {
        for (let x = 0; x < mergeSize; x++) visit(index++, blockRow + y, blockColumn + x);
      }
    }
  }
}

/**
 * Cuts width x height x 3 bytes of RGB into patches: [patches, 3 x patchSize x patchSize] floats, channel-major within
 * a patch, each (v / 255 - mean) / std. (Qwen2VLImageProcessor of Hugging Face transformers; its two temporal copies
 * are left out, see `weights.ts`.)
 */
export function cutPatches(rgb: Uint8Array, grid: PatchGrid, layout: PatchLayout): Float32Array {
  const { patchSize, mergeSize, imageMean, imageStd } = layout;
  const width = grid.columns * patchSize;
  const expected = width * grid.rows * patchSize * 3;
  if (rgb.length !== expected) throw new RangeError(`${rgb.length} bytes of RGB given, ${expected} expected`);
  const scale = new Float32Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    const mean = imageMean[channel] as number;
    const std = imageStd[channel] as number;
    for (let value = 0; value < 256; value++) scale[channel * 256 + value] = (value / 255 - mean) / std;
  }
  const area = patchSize * patchSize;
  const patches = new Float32Array(expected);
  forEachPatch(grid, mergeSize, (index, row, column) => {
    let target = index * 3 * area;
    const corner = (row * patchSize * width + column * patchSize) * 3;
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < patchSize; y++) {
        let source = corner + y * width * 3 + channel;
        for (let x = 0; x < patchSize; x++, source += 3) {
          patches[target++] = scale[channel * 256 + (rgb[source] as number)] as number;
        }
      }
    }
  });
  return patches;
}
