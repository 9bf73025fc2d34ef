import { Assembler, gpr, type Memory } from './assembler.ts';
import { lanesOf, type MatmulKernel, panelRows, valuesPerStep } from './matmulKernel.ts';

/** `output = bias + weights * input`, for one weight matrix and one number of columns. */
export interface MatmulShape {
  /** Values of a row of the weights and of a column of the input. */
  readonly inner: number;
  /** Rows of the weights. */
  readonly outer: number;
  /** Columns of the input and of the output. */
  readonly columns: number;
}

/** The input of one job is to stay in a core's second cache (256 KiB and more) while all weights pass by. */
const jobInputBytes = 192 * 1024;

/** The block of arguments, in 8-byte words: addresses, and the number of the next job. */
export const argumentWord = { weights: 0, bias: 1, input: 2, output: 3, nextJob: 4 } as const;
export const argumentWords = 5;

const { rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 } = gpr;
/** That a callee must leave as they were. */
const saved = [rbx, rbp, r12, r13, r14, r15];
/** Of every third column: the two after it are reached by the stride. */
const columnPointers = [r11, r13, r14, rbp];
const job = { arguments: r15, weights: rsi, bias: rbx, input: r8, output: rdi, columnsLeft: r12, stride: r9 };
const firstSum = { 32: 4, 64: 8 } as const;

/** Columns of one job, whole tiles. */
export function jobColumns(kernel: MatmulKernel, inner: number): number {
  const { tileColumns } = kernel;
  const tileBytes = tileColumns * columnBytes(kernel, inner);
  return tileColumns * Math.max(1, Math.floor(jobInputBytes / tileBytes));
}

const columnBytes = (kernel: MatmulKernel, inner: number): number => inner * (4 / valuesPerStep(kernel));

/**
 * Machine code of a matmul, called as ggml's `ggml_custom_op_t` under the System V calling convention:
 * `(dst, thread, threads, arguments)`. Every thread calls it and takes the next job until there is none, so a thread that is held up
 * holds up nobody; whoever runs the graph sets `nextJob` to 0 before. Each sum is added up in one order, whoever does it.
 *
 * Why: the prebuilt library's own kernels were compiled with GCC 11 and write each sum to the stack after each addition.
 *
 * Weights as `packPanels` lays them; bias f32 [outer]; input [inner, columns], bf16 for bf16 weights, else f32; output f32
 * [outer, columns].
 */
export function matmulCode(kernel: MatmulKernel, shape: MatmulShape): Uint8Array<ArrayBuffer> {
  return new MatmulWriter(kernel, shape).write();
}

class MatmulWriter {
  readonly #asm: Assembler;
  readonly #kernel: MatmulKernel;
  readonly #shape: MatmulShape;
  readonly #columnBytes: number;
  readonly #jobColumns: number;
  /** Of a whole panel. */
  readonly #panelBytes: number;
  readonly #nextJob;

  constructor(kernel: MatmulKernel, shape: MatmulShape) {
    this.#kernel = kernel;
    this.#shape = shape;
    this.#asm = new Assembler(kernel.vectorBytes);
    this.#nextJob = this.#asm.label();
    this.#columnBytes = columnBytes(kernel, shape.inner);
    this.#jobColumns = jobColumns(kernel, shape.inner);
    this.#panelBytes = panelRows(kernel) * shape.inner * 2;
  }

  write(): Uint8Array<ArrayBuffer> {
    const asm = this.#asm;
    const panels = Math.ceil(this.#shape.outer / panelRows(this.#kernel));
    const end = asm.label();
    for (const register of saved) asm.push(register);
    asm.move(job.arguments, rcx);
    asm.setImmediate(job.stride, this.#columnBytes);

    asm.place(this.#nextJob);
    asm.setImmediate(rax, 1);
    asm.fetchAdd({ base: job.arguments, displacement: argumentWord.nextJob * 8 }, rax);
    asm.compareImmediate(rax, panels * Math.ceil(this.#shape.columns / this.#jobColumns));
    asm.jumpIf('aboveOrEqual', end);
    this.#locate(panels);

    const isUneven = this.#shape.outer % panelRows(this.#kernel) !== 0;
    const half = asm.label();
    if (isUneven) {
      asm.compareImmediate(rdx, panels - 1);
      asm.jumpIf('equal', half);
    }
    this.#tiles(2);
    if (isUneven) {
      asm.place(half);
      this.#tiles(1);
    }

    asm.place(end);
    for (const register of saved.toReversed()) asm.pop(register);
    asm.leave();
    return asm.code();
  }

  /** From the number of a job in rax to where its data is. Leaves the number of its panel in rdx. */
  #locate(panels: number): void {
    const asm = this.#asm;
    const { outer, columns } = this.#shape;
    const addArgument = (to: number, word: number): void => {
      asm.load(rcx, { base: job.arguments, displacement: word * 8 });
      asm.add(to, rcx);
    };
    asm.setImmediate(rdx, 0);
    asm.setImmediate(rcx, panels);
    asm.divide(rcx);
    asm.multiplyImmediate(job.weights, rdx, this.#panelBytes);
    asm.multiplyImmediate(job.bias, rdx, panelRows(this.#kernel) * 4);
    asm.multiplyImmediate(job.input, rax, this.#jobColumns * this.#columnBytes);
    asm.multiplyImmediate(job.output, rax, this.#jobColumns * outer * 4);
    asm.add(job.output, job.bias);
    addArgument(job.weights, argumentWord.weights);
    addArgument(job.bias, argumentWord.bias);
    addArgument(job.input, argumentWord.input);
    addArgument(job.output, argumentWord.output);
    asm.multiplyImmediate(job.columnsLeft, rax, -this.#jobColumns);
    asm.addImmediate(job.columnsLeft, columns);
    const isLast = asm.label();
    asm.compareImmediate(job.columnsLeft, this.#jobColumns);
    asm.jumpIf('below', isLast);
    asm.setImmediate(job.columnsLeft, this.#jobColumns);
    asm.place(isLast);
  }

  /** All columns of a job, for a panel of so many vectors of rows. */
  #tiles(vectors: 1 | 2): void {
    const asm = this.#asm;
    const { tileColumns } = this.#kernel;
    const rest = this.#shape.columns % tileColumns;
    const next = asm.label();
    const last = asm.label();
    asm.place(next);
    asm.compareImmediate(job.columnsLeft, tileColumns);
    asm.jumpIf('below', last);
    this.#tile(vectors, tileColumns);
    asm.addImmediate(job.input, tileColumns * this.#columnBytes);
    asm.addImmediate(job.output, tileColumns * this.#shape.outer * 4);
    asm.subtractImmediate(job.columnsLeft, tileColumns);
    asm.jump(next);
    asm.place(last);
    if (rest > 0) {
      asm.compareImmediate(job.columnsLeft, 0);
      asm.jumpIf('equal', this.#nextJob);
      this.#tile(vectors, rest);
    }
    asm.jump(this.#nextJob);
  }

  /** `vectors` of rows by `width` columns, added up over all of `inner`. */
  #tile(vectors: 1 | 2, width: number): void {
    const asm = this.#asm;
    const { vectorBytes } = this.#kernel;
    const sums = Array.from({ length: width }, (_, column) =>
      Array.from({ length: vectors }, (_, vector) => firstSum[vectorBytes] + column * vectors + vector),
    );
    for (const ofColumn of sums) {
      for (const [vector, sum] of ofColumn.entries())
        asm.loadVector(sum, { base: job.bias, displacement: vector * vectorBytes });
    }
    this.#sumUp(sums);
    asm.move(rax, job.output);
    for (const ofColumn of sums) {
      for (const [vector, sum] of ofColumn.entries())
        asm.storeVector({ base: rax, displacement: vector * vectorBytes }, sum);
      asm.addImmediate(rax, this.#shape.outer * 4);
    }
  }

  /** @param sums registers, by column and vector */
  #sumUp(sums: readonly (readonly number[])[]): void {
    const asm = this.#asm;
    const vectors = sums[0]?.length ?? 0;
    const weightBytes = vectors * lanesOf(this.#kernel) * 2 * valuesPerStep(this.#kernel);
    const pointers = columnPointers.slice(0, Math.ceil(sums.length / 3));
    for (const [index, pointer] of pointers.entries()) {
      asm.move(pointer, job.input);
      asm.addImmediate(pointer, index * 3 * this.#columnBytes);
    }
    const steps = this.#shape.inner / valuesPerStep(this.#kernel);
    const unrolled = [4, 2, 1].find((count) => steps % count === 0) as number;
    asm.move(r10, job.weights);
    asm.setImmediate(rcx, steps);
    const again = asm.label();
    asm.place(again);
    for (let step = 0; step < unrolled; step++)
      this.#step(sums, { weights: step * weightBytes, input: step * 4 });
    asm.addImmediate(r10, unrolled * weightBytes);
    for (const pointer of pointers) asm.addImmediate(pointer, unrolled * 4);
    asm.subtractImmediate(rcx, unrolled);
    asm.jumpIf('notEqual', again);
  }

  /** One value (of bf16 two) of every row times that of every column. */
  #step(sums: readonly (readonly number[])[], displacement: { weights: number; input: number }): void {
    const asm = this.#asm;
    const isBf16 = this.#kernel.weightType === 'bf16';
    const vectors = sums[0]?.length ?? 0;
    const bytes = this.#kernel.vectorBytes / (isBf16 ? 1 : 2);
    for (let vector = 0; vector < vectors; vector++) {
      const from = { base: r10, displacement: displacement.weights + vector * bytes };
      if (isBf16) asm.loadVector(vector, from);
      else asm.loadHalves(vector, from);
    }
    for (const [column, ofColumn] of sums.entries()) {
      const input = 2 + (column % 2);
      asm.broadcast(input, inputOf(column, displacement.input));
      for (const [vector, sum] of ofColumn.entries()) {
        if (isBf16) asm.dotPairs(sum, vector, input);
        else asm.multiplyAdd(sum, vector, input);
      }
    }
  }
}

function inputOf(column: number, displacement: number): Memory {
  const base = columnPointers[Math.floor(column / 3)] as number;
  if (column % 3 === 0) return { base, displacement };
  return { base, index: job.stride, scale: column % 3 === 1 ? 1 : 2, displacement };
}
