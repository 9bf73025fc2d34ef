import { type Block, type BlockWriter, columnBytes, job } from './block.ts';
import { valuesPerStep } from './matmulKernel.ts';
import { gpr } from './operands.ts';

const { rax, rcx, rbp, r10, r11, r13, r14 } = gpr;

/** A tile has up to 16 rows of 64 bytes: of sums 16 f32, of what is multiplied 16 pairs of bf16. */
const tileRows = 16;
const rowBytes = 64;
/** Steps, of a pair of values each, that one multiplication takes. */
const stepsAtOnce = 16;

/** Tile registers; sums by 16 columns and vector. */
const sums = [
  [0, 1],
  [2, 3],
] as const;
const inputs = [4, 5] as const;
const weights = [6, 7] as const;

/** Two tiles of columns by two of rows: four sums keep the multiplier busy. */
export const tileColumns = 2 * tileRows;

/** How many of the steps of a matmul tiles can do. */
export const tileSteps = (inner: number): number => Math.floor(inner / 2 / stepsAtOnce) * stepsAtOnce;

/** The memory operand of LDTILECFG and STTILECFG. */
export const tileShapesBytes = 64;

/** Columns of the one or two tiles that hold so many. */
const split = (columns: number): number[] =>
  columns > tileRows ? [tileRows, columns - tileRows] : [columns];

/**
 * What LDTILECFG reads for a block of so many columns: palette 1, from byte 16 on the bytes of a row of each tile (u16),
 * from byte 48 on its rows (u8). Intel's Software Developer's Manual, volume 1, 18.2.
 */
export function tileShapes(columns: number): Uint8Array {
  const shapes = new DataView(new ArrayBuffer(tileShapesBytes));
  shapes.setUint8(0, 1);
  const define = (tile: number, rows: number): void => {
    shapes.setUint16(16 + 2 * tile, rowBytes, true);
    shapes.setUint8(48 + tile, rows);
  };
  for (const [index, rows] of split(columns).entries()) {
    for (const tile of [...(sums[index] as readonly number[]), inputs[index] as number]) define(tile, rows);
  }
  for (const tile of weights) define(tile, tileRows);
  return new Uint8Array(shapes.buffer);
}

/**
 * Code that adds up the first `tileSteps` of a block in tile registers. A tile of input holds columns as its rows, and so does one of
 * sums; one of weights holds steps, in which `packPanels` has laid the pairs of 16 rows side by side.
 */
export function writeTileBlock(writer: BlockWriter, { vectors, columns }: Block): void {
  const { asm, kernel, shape } = writer;
  const tiles = split(columns).map((_, index) => ({
    sums: sums[index]?.slice(0, vectors) as readonly number[],
    input: inputs[index] as number,
    pointer: [r11, r13][index] as number,
  }));
  asm.configureTiles(writer.tileShapes(columns));
  // Every row begins with the same bias.
  asm.setImmediate(rcx, 0);
  for (const tile of tiles) {
    for (const [vector, sum] of tile.sums.entries())
      asm.loadTile(sum, { base: job.bias, index: rcx, displacement: vector * rowBytes });
  }
  for (const [index, { pointer }] of tiles.entries()) {
    asm.move(pointer, job.input);
    asm.addImmediate(pointer, index * tileRows * columnBytes(kernel, shape.inner));
  }
  asm.move(r10, job.weights);
  asm.setImmediate(rax, vectors * rowBytes);
  asm.setImmediate(r14, tileSteps(shape.inner) / stepsAtOnce);
  const again = asm.label();
  asm.place(again);
  for (const [index, tile] of tiles.entries()) {
    asm.loadTile(tile.input, { base: tile.pointer, index: job.stride });
    for (const [vector, sum] of tile.sums.entries()) {
      const from = { base: r10, index: rax, displacement: vector * rowBytes };
      if (index === 0) asm.loadTile(weights[vector] as number, from);
      asm.multiplyTiles(sum, tile.input, weights[vector] as number);
    }
    asm.addImmediate(tile.pointer, stepsAtOnce * 2 * valuesPerStep(kernel));
  }
  asm.addImmediate(r10, stepsAtOnce * vectors * rowBytes);
  asm.subtractImmediate(r14, 1);
  asm.jumpIf('notEqual', again);
  asm.move(rbp, job.output);
  asm.setImmediate(rcx, shape.outer * 4);
  for (const tile of tiles) {
    for (const [vector, sum] of tile.sums.entries())
      asm.storeTile({ base: rbp, index: rcx, displacement: vector * rowBytes }, sum);
    asm.addImmediate(rbp, tileRows * shape.outer * 4);
  }
}
