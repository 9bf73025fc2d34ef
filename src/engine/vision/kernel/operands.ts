/** A general register of x86-64 by its number in machine code. */
export const gpr = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
} as const;

/** `[base + index * scale + displacement]` */
export interface Memory {
  readonly base: number;
  readonly index?: number;
  readonly scale?: 1 | 2;
  readonly displacement?: number;
}

/** In place of a register, with mode 0: a distance from the instruction's end. */
export const ripRelative = 5;

/** VEX and EVEX hold most bits of register numbers inverted. */
export const inverted = (bit: number, at: number): number => (~bit & 1) << at;

export const modRm = (mode: number, reg: number, rm: number): number =>
  (mode << 6) | ((reg & 7) << 3) | (rm & 7);

/** @throws RangeError when the value has no 32 bits */
export function littleEndian(value: number): number[] {
  if (!(value >= -(2 ** 31) && value < 2 ** 31)) throw new RangeError(`${value} is no number of 32 bits`);
  return [value, value >> 8, value >> 16, value >> 24].map((byte) => byte & 0xff);
}

/** The bits R, X and B of a REX prefix. */
export const rexOf = (reg: number, { base, index = 0 }: Memory): number =>
  ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);

/** ModRM, SIB and displacement; a short displacement counts in `unit` bytes. */
export function addressed(
  reg: number,
  { base, index, scale = 1, displacement = 0 }: Memory,
  unit: number,
): number[] {
  const units = displacement / unit;
  const isShort = Number.isInteger(units) && units >= -128 && units < 128;
  const hasSib = index !== undefined || (base & 7) === gpr.rsp;
  // In place of an index rsp means none.
  const sib = ((scale === 2 ? 1 : 0) << 6) | (((index ?? gpr.rsp) & 7) << 3) | (base & 7);
  return [
    modRm(isShort ? 1 : 2, reg, hasSib ? gpr.rsp : base),
    ...(hasSib ? [sib] : []),
    ...(isShort ? [units & 0xff] : littleEndian(displacement)),
  ];
}
