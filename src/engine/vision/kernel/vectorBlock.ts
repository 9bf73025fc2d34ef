import { type Block, type BlockWriter, columnBytes, job } from './block.ts';
import { lanesOf, type MatmulKernel, valuesPerStep } from './matmulKernel.ts';
import { gpr, type Memory } from './operands.ts';

const { rax, rcx, rbp, r10, r11, r13, r14 } = gpr;
/** Of every third column: the two after it are reached by the stride. */
const columnPointers = [r11, r13, r14, rbp];
/** Registers 0 to 3 hold weights and inputs. */
const firstSum = 4;

/** Columns whose sums, of two vectors of rows, leave room in the registers for weights and inputs. */
export const vectorColumns = ({ vectorBytes }: MatmulKernel): number => (vectorBytes === 64 ? 12 : 6);

/** A part of a block: columns from one on, and what is still to be added up of them. */
export interface VectorBlock extends Block {
  readonly firstColumn: number;
  /** 0: begins with the bias; else with what the steps before have left in the output. */
  readonly firstStep: number;
}

/** Code that adds up a block in vector registers, step by step: of each row and column one value (of bf16 two). */
export function writeVectorBlock(writer: BlockWriter, block: VectorBlock): void {
  const { asm, kernel, shape } = writer;
  const { vectorBytes } = kernel;
  const { vectors, columns, firstColumn, firstStep } = block;
  const sums = Array.from({ length: columns }, (_, column) =>
    Array.from({ length: vectors }, (_, vector) => firstSum + column * vectors + vector),
  );
  const toOutput = (): void => {
    asm.move(rax, job.output);
    asm.addImmediate(rax, firstColumn * shape.outer * 4);
  };
  toOutput();
  for (const ofColumn of sums) {
    for (const [vector, sum] of ofColumn.entries()) {
      const displacement = vector * vectorBytes;
      asm.loadVector(sum, { base: firstStep === 0 ? job.bias : rax, displacement });
    }
    asm.addImmediate(rax, shape.outer * 4);
  }
  writeSteps(writer, block, sums);
  toOutput();
  for (const ofColumn of sums) {
    for (const [vector, sum] of ofColumn.entries())
      asm.storeVector({ base: rax, displacement: vector * vectorBytes }, sum);
    asm.addImmediate(rax, shape.outer * 4);
  }
}

/** @param sums registers, by column and vector */
function writeSteps(
  { asm, kernel, shape }: BlockWriter,
  { vectors, firstColumn, firstStep }: VectorBlock,
  sums: readonly (readonly number[])[],
): void {
  const ofColumn = columnBytes(kernel, shape.inner);
  const ofWeights = vectors * lanesOf(kernel) * 2 * valuesPerStep(kernel);
  const steps = shape.inner / valuesPerStep(kernel) - firstStep;
  const unrolled = [4, 2, 1].find((count) => steps % count === 0) as number;
  const pointers = columnPointers.slice(0, Math.ceil(sums.length / 3));
  for (const [index, pointer] of pointers.entries()) {
    asm.move(pointer, job.input);
    asm.addImmediate(pointer, (firstColumn + index * 3) * ofColumn + firstStep * 4);
  }
  asm.move(r10, job.weights);
  asm.addImmediate(r10, firstStep * ofWeights);
  asm.setImmediate(rcx, steps);
  const again = asm.label();
  asm.place(again);
  for (let step = 0; step < unrolled; step++) {
    writeStep({ asm, kernel }, sums, { weights: step * ofWeights, input: step * 4 });
  }
  asm.addImmediate(r10, unrolled * ofWeights);
  for (const pointer of pointers) asm.addImmediate(pointer, unrolled * 4);
  asm.subtractImmediate(rcx, unrolled);
  asm.jumpIf('notEqual', again);
}

function writeStep(
  { asm, kernel }: Pick<BlockWriter, 'asm' | 'kernel'>,
  sums: readonly (readonly number[])[],
  displacement: { readonly weights: number; readonly input: number },
): void {
  const isBf16 = kernel.weightType === 'bf16';
  const bytes = kernel.vectorBytes / (isBf16 ? 1 : 2);
  for (const vector of sums[0]?.keys() ?? []) {
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

function inputOf(column: number, displacement: number): Memory {
  const base = columnPointers[Math.floor(column / 3)] as number;
  if (column % 3 === 0) return { base, displacement };
  return { base, index: job.stride, scale: column % 3 === 1 ? 1 : 2, displacement };
}
