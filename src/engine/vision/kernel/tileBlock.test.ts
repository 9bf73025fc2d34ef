import koffi from 'koffi';
import { expect, test } from 'vitest';
import { addressOf } from '../../../llama/binding.ts';
import { openNative } from '../../../llama/native.ts';
import { Assembler } from './assembler.ts';
import { ExecutableCode } from './executableCode.ts';
import { argumentWord, matmulCode } from './matmulCode.ts';
import { kernelsFor } from './matmulKernel.ts';
import { gpr } from './operands.ts';
import { tileShapes } from './tileBlock.ts';
import { allowTiles } from './tilePermission.ts';

const { systemInfo } = await openNative('off', () => {});
const kernel = kernelsFor(systemInfo).find(({ usesTiles }) => usesTiles);

test('shapes are said as the CPU reads them', () => {
  const [rowBytes, rows] = [tileShapes(29).slice(16, 48), tileShapes(29).slice(48)];
  expect(tileShapes(29).slice(0, 16)).toEqual(Uint8Array.of(1, ...Array(15).fill(0)));
  expect([...new Uint16Array(rowBytes.buffer)].slice(0, 8)).toEqual(Array(8).fill(64));
  // Sums of 16 columns and of 13, inputs, weights.
  expect([...rows].slice(0, 8)).toEqual([16, 16, 13, 13, 16, 13, 16, 16]);
  expect([...tileShapes(7).slice(48, 56)]).toEqual([7, 7, 0, 0, 7, 0, 16, 16]);
});

// Only a CPU with AMX can be asked.
test.runIf(kernel)('the shapes that the library has set in a thread are set again', () => {
  if (!kernel) return;
  allowTiles();
  const theirs = tileShapes(5);
  const call = (bytes: Uint8Array, output: bigint, given: bigint | null = null): void => {
    const code = new ExecutableCode(bytes);
    const prototype = koffi.proto('void (void *output, long thread, long threads, void *arguments)');
    koffi.decode(code.pointer, prototype)(output, 0, 1, given);
    code.dispose();
  };
  const shapeCode = (write: (asm: Assembler) => void): Uint8Array => {
    const asm = new Assembler(64);
    write(asm);
    asm.leave();
    return asm.code();
  };
  // Small arrays live where the collector moves them.
  const memory = (bytes: number) => new Uint8Array(Math.max(bytes, 4096));
  const [set, seen] = [memory(64), memory(64)];
  set.set(theirs);
  call(
    shapeCode((asm) => asm.configureTiles({ base: gpr.rdi })),
    addressOf(set),
  );

  const shape = { inner: 64, outer: 48, columns: 45 };
  const [weights, bias, input, output] = [
    memory(64 * 48 * 2),
    memory(48 * 4),
    memory(64 * 45 * 2),
    memory(48 * 45 * 4),
  ];
  output.fill(0xff);
  const given = new BigUint64Array(512);
  given[argumentWord.weights] = addressOf(weights);
  given[argumentWord.bias] = addressOf(bias);
  given[argumentWord.input] = addressOf(input);
  given[argumentWord.output] = addressOf(output);
  call(matmulCode(kernel, shape), addressOf(output), addressOf(given));
  expect(output.subarray(0, 48 * 45 * 4).every((byte) => byte === 0)).toBe(true);

  call(
    shapeCode((asm) => asm.saveTileShapes({ base: gpr.rdi })),
    addressOf(seen),
  );
  expect(seen.subarray(0, 64)).toEqual(theirs);
});
