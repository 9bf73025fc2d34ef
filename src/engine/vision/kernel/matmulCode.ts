import { Assembler, type Label } from './assembler.ts';
import { type BlockWriter, columnBytes, job, type MatmulShape } from './block.ts';
import { lanesOf, type MatmulKernel, panelRows, valuesPerStep } from './matmulKernel.ts';
import { gpr } from './operands.ts';
import { tileColumns, tileShapes, tileShapesBytes, tileSteps, writeTileBlock } from './tileBlock.ts';
import { vectorColumns, writeVectorBlock } from './vectorBlock.ts';

/** The input of one job is to stay in a core's second cache (256 KiB and more) while all weights pass by. */
const jobInputBytes = 192 * 1024;

/** The block of arguments, in 8-byte words: addresses, and the number of the next job. */
export const argumentWord = { weights: 0, bias: 1, input: 2, output: 3, nextJob: 4 } as const;
export const argumentWords = 5;

const { rax, rcx, rdx, rbx, rbp, rsp, r12, r13, r14, r15 } = gpr;
/** That a callee must leave as they were. */
const saved = [rbx, rbp, r12, r13, r14, r15];

const blockColumns = (kernel: MatmulKernel): number =>
  kernel.usesTiles ? tileColumns : vectorColumns(kernel);

/** Columns of one job, whole blocks. */
export function jobColumns(kernel: MatmulKernel, inner: number): number {
  const columns = blockColumns(kernel);
  const blockBytes = columns * columnBytes(kernel, inner);
  return columns * Math.max(1, Math.floor(jobInputBytes / blockBytes));
}

/**
 * Machine code of a matmul, called as ggml's `ggml_custom_op_t` under the System V calling convention:
 * `(dst, thread, threads, arguments)`. Every thread calls it and takes the next job until there is none, so a thread that is held up
 * holds up nobody; whoever runs the graph sets `nextJob` to 0 before. Each sum is added up in one order, whoever does it.
 *
 * Why: the prebuilt library's own kernels were compiled with GCC 11 and write each sum to the stack after each addition; and of AMX it
 * uses the integer half only.
 *
 * Weights as `packPanels` lays them; bias f32 [outer]; input [inner, columns], bf16 for bf16 weights, else f32; output f32
 * [outer, columns].
 * @throws RangeError for a shape that is not of whole steps and vectors, or needs numbers of more than 32 bits
 */
export function matmulCode(kernel: MatmulKernel, shape: MatmulShape): Uint8Array<ArrayBuffer> {
  const { inner, outer, columns } = shape;
  const isWhole = inner % valuesPerStep(kernel) === 0 && outer % lanesOf(kernel) === 0;
  if (!isWhole || Math.min(inner, outer, columns) < 1) {
    throw new RangeError(`no ${kernel.name} for ${inner} x ${outer}, ${columns} columns`);
  }
  return new MatmulWriter(kernel, shape).write();
}

class MatmulWriter implements BlockWriter {
  readonly asm: Assembler;
  readonly kernel: MatmulKernel;
  readonly shape: MatmulShape;
  readonly #columnBytes: number;
  readonly #blockColumns: number;
  readonly #jobColumns: number;
  /** Of a whole panel. */
  readonly #panelBytes: number;
  readonly #nextJob: Label;
  readonly #tileShapes = new Map<number, Label>();

  constructor(kernel: MatmulKernel, shape: MatmulShape) {
    this.kernel = kernel;
    this.shape = shape;
    this.asm = new Assembler(kernel.vectorBytes);
    this.#nextJob = this.asm.label();
    this.#columnBytes = columnBytes(kernel, shape.inner);
    this.#blockColumns = blockColumns(kernel);
    this.#jobColumns = jobColumns(kernel, shape.inner);
    this.#panelBytes = panelRows(kernel) * shape.inner * 2;
  }

  tileShapes(columns: number): Label {
    let label = this.#tileShapes.get(columns);
    if (!label) {
      label = this.asm.label();
      this.#tileShapes.set(columns, label);
    }
    return label;
  }

  write(): Uint8Array<ArrayBuffer> {
    const { asm, kernel, shape } = this;
    const panels = Math.ceil(shape.outer / panelRows(kernel));
    const end = asm.label();
    for (const register of saved) asm.push(register);
    if (kernel.usesTiles) {
      // The library's own code for AMX sets its shapes once in a thread's life.
      asm.subtractImmediate(rsp, tileShapesBytes);
      asm.saveTileShapes({ base: rsp });
    }
    asm.move(job.arguments, rcx);
    asm.setImmediate(job.stride, this.#columnBytes);

    asm.place(this.#nextJob);
    asm.setImmediate(rax, 1);
    asm.fetchAdd({ base: job.arguments, displacement: argumentWord.nextJob * 8 }, rax);
    asm.compareImmediate(rax, panels * Math.ceil(shape.columns / this.#jobColumns));
    asm.jumpIf('aboveOrEqual', end);
    this.#locate(panels);

    const isUneven = shape.outer % panelRows(kernel) !== 0;
    const half = asm.label();
    if (isUneven) {
      asm.compareImmediate(rdx, panels - 1);
      asm.jumpIf('equal', half);
    }
    this.#blocks(2);
    if (isUneven) {
      asm.place(half);
      this.#blocks(1);
    }

    asm.place(end);
    if (kernel.usesTiles) {
      asm.configureTiles({ base: rsp });
      asm.addImmediate(rsp, tileShapesBytes);
    }
    for (const register of saved.toReversed()) asm.pop(register);
    asm.leave();
    for (const [columns, label] of this.#tileShapes) {
      asm.place(label);
      asm.data(tileShapes(columns));
    }
    return asm.code();
  }

  /** From the number of a job in rax to where its data is. Leaves the number of its panel in rdx. */
  #locate(panels: number): void {
    const { asm } = this;
    const { outer, columns } = this.shape;
    const addArgument = (to: number, word: number): void => {
      asm.load(rcx, { base: job.arguments, displacement: word * 8 });
      asm.add(to, rcx);
    };
    asm.setImmediate(rdx, 0);
    asm.setImmediate(rcx, panels);
    asm.divide(rcx);
    asm.multiplyImmediate(job.weights, rdx, this.#panelBytes);
    asm.multiplyImmediate(job.bias, rdx, panelRows(this.kernel) * 4);
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
  #blocks(vectors: 1 | 2): void {
    const { asm } = this;
    const columns = this.#blockColumns;
    const rest = this.shape.columns % columns;
    const next = asm.label();
    const last = asm.label();
    asm.place(next);
    asm.compareImmediate(job.columnsLeft, columns);
    asm.jumpIf('below', last);
    this.#block(vectors, columns);
    asm.addImmediate(job.input, columns * this.#columnBytes);
    asm.addImmediate(job.output, columns * this.shape.outer * 4);
    asm.subtractImmediate(job.columnsLeft, columns);
    asm.jump(next);
    asm.place(last);
    if (rest > 0) {
      asm.compareImmediate(job.columnsLeft, 0);
      asm.jumpIf('equal', this.#nextJob);
      this.#block(vectors, rest);
    }
    asm.jump(this.#nextJob);
  }

  #block(vectors: 1 | 2, columns: number): void {
    const { kernel } = this;
    const { inner } = this.shape;
    const inTiles = kernel.usesTiles ? tileSteps(inner) : 0;
    if (inTiles > 0) writeTileBlock(this, { vectors, columns });
    if (inTiles === inner / valuesPerStep(kernel)) return;
    const atOnce = vectorColumns(kernel);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += atOnce) {
      const block = { vectors, columns: Math.min(atOnce, columns - firstColumn) };
      writeVectorBlock(this, { ...block, firstColumn, firstStep: inTiles });
    }
  }
}
