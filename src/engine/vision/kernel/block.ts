import type { Assembler, Label } from './assembler.ts';
import { type MatmulKernel, valuesPerStep } from './matmulKernel.ts';
import { gpr } from './operands.ts';

/** `output = bias + weights * input`, for one weight matrix and one number of columns. */
export interface MatmulShape {
  /** Values of a row of the weights and of a column of the input. */
  readonly inner: number;
  /** Rows of the weights. */
  readonly outer: number;
  /** Columns of the input and of the output. */
  readonly columns: number;
}

/** One or two vectors of rows by some columns: what is added up in registers. */
export interface Block {
  readonly vectors: 1 | 2;
  readonly columns: number;
}

/** Where the code of a matmul keeps what it works on. What writes a block may use every register that is not here. */
export const job = {
  arguments: gpr.r15,
  /** First value of the panel. */
  weights: gpr.rsi,
  /** Of the panel's first row. */
  bias: gpr.rbx,
  /** First column of the block. */
  input: gpr.r8,
  /** Value of the panel's first row in the block's first column. */
  output: gpr.rdi,
  columnsLeft: gpr.r12,
  /** Bytes of a column of the input. */
  stride: gpr.r9,
} as const;

/** What all blocks of a matmul have in common. */
export interface BlockWriter {
  readonly asm: Assembler;
  readonly kernel: MatmulKernel;
  readonly shape: MatmulShape;
  /** Where the shapes of tiles for so many columns lie. */
  tileShapes(columns: number): Label;
}

export const columnBytes = (kernel: MatmulKernel, inner: number): number =>
  inner * (4 / valuesPerStep(kernel));
