import { ggmlType } from '../../llama/ggml.ts';

/** How the tower's matrices may be held. Biases, norms, the patch kernel and the position table are always f32. */
export const weightTypes = ['f16', 'bf16', 'q8_0', 'f32'] as const;
export type WeightType = (typeof weightTypes)[number];

/** `enum ggml_type` by weight type. */
export const weightTypeId: Readonly<Record<WeightType, number>> = {
  f16: ggmlType.F16,
  bf16: ggmlType.BF16,
  q8_0: ggmlType.Q8_0,
  f32: ggmlType.F32,
};

/** Values per quantisation block of q8_0; a row must be a whole number of blocks. */
export const q8BlockElements = 32;

/** Matrices that stay f16 when q8_0 is asked for: the mergers and the attention outputs, a tenth of all weights. */
const keptPrecise = /^mm\.|^v\.deepstack\.|\.attn_out\./;

/**
 * What a matrix is held as. In q8_0 towers, f16 is kept for rows that are no whole number of blocks (the 4304-wide FFN
 * of the 8B tower) and for what costs most precision: with these exceptions the relative feature error stays below
 * 1e-2 (embedded model's golden pictures, random towers as wide as 2B's and 8B's); with q8_0 mergers it is 1.2e-2,
 * with q8_0 attention outputs 1.07e-2 on the widest.
 */
export function storedType(weightType: WeightType, tensorName: string, rowElements: number): WeightType {
  if (weightType !== 'q8_0') return weightType;
  return keptPrecise.test(tensorName) || !fillsBlocks(weightType, rowElements) ? 'f16' : weightType;
}

/** Whether rows of this length can be held as this type at all. */
export function fillsBlocks(weightType: WeightType, rowElements: number): boolean {
  return weightType !== 'q8_0' || rowElements % q8BlockElements === 0;
}
