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

/** Matrices that stay f16 when q8_0 is asked for: attention and mergers. */
const keptPrecise = /^mm\.|^v\.deepstack\.|\.attn_/;

/**
 * What a matrix is held as. In q8_0 towers only the FFN is q8_0, two thirds of the arithmetic, and of the 8B tower's only
 * one half of it (rows of 4304 are no whole number of blocks). So the relative feature error stays below 1e-2 (golden
 * pictures, random towers as wide as 2B's and 8B's) and all reference answers of the embedded model stay as they are; with
 * q8_0 attention one of 146 flips, with q8_0 mergers too the error is 1.2e-2.
 */
export function storedType(weightType: WeightType, tensorName: string, rowElements: number): WeightType {
  if (weightType !== 'q8_0') return weightType;
  return keptPrecise.test(tensorName) || !fillsBlocks(weightType, rowElements) ? 'f16' : weightType;
}

/** Whether rows of this length can be held as this type at all. */
export function fillsBlocks(weightType: WeightType, rowElements: number): boolean {
  return weightType !== 'q8_0' || rowElements % q8BlockElements === 0;
}
