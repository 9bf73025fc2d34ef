import { ggmlType } from '../../llama/ggml.ts';

/** How keys and values of the attention cache may be held. */
export const kvTypes = ['f16', 'q8_0', 'q4_0'] as const;
export type KvType = (typeof kvTypes)[number];

/** `enum ggml_type` by cache type. */
export const kvTypeId: Readonly<Record<KvType, number>> = {
  f16: ggmlType.F16,
  q8_0: ggmlType.Q8_0,
  q4_0: ggmlType.Q4_0,
};

/** Values a block holds and the bytes it takes: an f16 scale, then 8 or 4 bits a value (`ggml-common.h`). */
const blocks: Readonly<Record<KvType, { readonly values: number; readonly bytes: number }>> = {
  f16: { values: 1, bytes: 2 },
  q8_0: { values: 32, bytes: 34 },
  q4_0: { values: 32, bytes: 18 },
};

/** Bytes one token takes in a cache of this type, given what it takes in f16. */
export function kvBytesPerToken(f16BytesPerToken: number, type: KvType): number {
  const { values, bytes } = blocks[type];
  return (f16BytesPerToken / 2 / values) * bytes;
}

/** What keeps heads of this size out of a cache of this type: a head must be a whole number of blocks. */
export function kvTypeProblem(type: KvType, headSize: number): string | undefined {
  const { values } = blocks[type];
  return headSize % values === 0
    ? undefined
    : `${type} needs heads of a multiple of ${values} values, this model's have ${headSize}`;
}
