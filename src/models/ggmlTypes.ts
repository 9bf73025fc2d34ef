/**
 * Tensor types of ggml as release v0.5.0 numbers and stores them (`enum ggml_type` in ggml.h, block sizes in
 * ggml-common.h). Rows are stored as whole blocks: `blockBytes` bytes hold `blockElements` values.
 */
const rows = [
  ['f32', 0, 1, 4],
  ['f16', 1, 1, 2],
  ['q4_0', 2, 32, 18],
  ['q4_1', 3, 32, 20],
  ['q5_0', 6, 32, 22],
  ['q5_1', 7, 32, 24],
  ['q8_0', 8, 32, 34],
  ['q8_1', 9, 32, 36],
  ['q2_K', 10, 256, 84],
  ['q3_K', 11, 256, 110],
  ['q4_K', 12, 256, 144],
  ['q5_K', 13, 256, 176],
  ['q6_K', 14, 256, 210],
  ['q8_K', 15, 256, 292],
  ['iq2_xxs', 16, 256, 66],
  ['iq2_xs', 17, 256, 74],
  ['iq3_xxs', 18, 256, 98],
  ['iq1_s', 19, 256, 50],
  ['iq4_nl', 20, 32, 18],
  ['iq3_s', 21, 256, 110],
  ['iq2_s', 22, 256, 82],
  ['iq4_xs', 23, 256, 136],
  ['i8', 24, 1, 1],
  ['i16', 25, 1, 2],
  ['i32', 26, 1, 4],
  ['i64', 27, 1, 8],
  ['f64', 28, 1, 8],
  ['iq1_m', 29, 256, 56],
  ['bf16', 30, 1, 2],
  ['tq1_0', 34, 256, 54],
  ['tq2_0', 35, 256, 66],
  ['mxfp4', 39, 32, 17],
  ['nvfp4', 40, 64, 36],
  ['q1_0', 41, 128, 18],
  ['q2_0', 42, 64, 18],
] as const;

export type GgmlTypeName = (typeof rows)[number][0];

export interface GgmlType {
  readonly name: GgmlTypeName;
  /** Value of `enum ggml_type`. */
  readonly id: number;
  readonly blockElements: number;
  readonly blockBytes: number;
}

const types: readonly GgmlType[] = rows.map(([name, id, blockElements, blockBytes]) => ({
  name,
  id,
  blockElements,
  blockBytes,
}));
const byId = new Map(types.map((type) => [type.id, type]));

/** The type with this `enum ggml_type` value; undefined for removed and unknown ones. */
export function ggmlTypeById(id: number): GgmlType | undefined {
  return byId.get(id);
}

export const ggmlTypes = Object.fromEntries(types.map((type) => [type.name, type])) as Readonly<
  Record<GgmlTypeName, GgmlType>
>;

/** Bytes of a tensor; its innermost side must be a multiple of the type's `blockElements`. */
export function tensorBytes(type: GgmlType, shape: readonly number[]): number {
  return (shape.reduce((product, side) => product * side, 1) / type.blockElements) * type.blockBytes;
}
