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

/**
 * What a matrix is held as. Two kinds stay f16 when q8_0 is asked for: rows that are no whole number of blocks (the
 * 4304-wide FFN of the 8B tower), and the mergers, whose rounding goes straight into the features (relative error on
 * the embedded model's golden pictures 1.2e-2 with q8_0 mergers, 8.4e-3 without).
 */
export function storedType(weightType: WeightType, tensorName: string, rowElements: number): WeightType {
  if (weightType !== 'q8_0') return weightType;
  const isMerger = tensorName.startsWith('mm.') || tensorName.startsWith('v.deepstack.');
  return isMerger || !fillsBlocks(weightType, rowElements) ? 'f16' : weightType;
}

/** Whether rows of this length can be held as this type at all. */
export function fillsBlocks(weightType: WeightType, rowElements: number): boolean {
  return weightType !== 'q8_0' || rowElements % q8BlockElements === 0;
}
