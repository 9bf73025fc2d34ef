import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Backend, openBackend } from '../../llama/backend.ts';
import { type Native, openNative } from '../../llama/native.ts';
import * as matmulCodes from './kernel/matmulCode.ts';
import { kernelsFor, lanesOf, valuesPerStep } from './kernel/matmulKernel.ts';
import { someFloats, trialMatmul } from './trialMatmul.ts';
import { workingKernels } from './workingKernels.ts';

let native: Native;
let backend: Backend;
beforeAll(async () => {
  native = await openNative('off', () => {});
  backend = openBackend(native.ggml, 'off', 2);
});
afterAll(() => backend.dispose());

test('every kernel for this machine gives what the plain sums give, whatever the shape', async () => {
  const kernels = kernelsFor(native.systemInfo);
  if (process.platform === 'linux' && process.arch === 'x64') expect(kernels.length).toBeGreaterThan(0);
  for (const kernel of kernels) {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 60 }),
        async (steps, vectors, columns) => {
          const inner = steps * valuesPerStep(kernel);
          const outer = vectors * lanesOf(kernel);
          const trial = await trialMatmul(native.ggml, backend, { inner, outer, columns }, kernel);
          try {
            await trial?.run();
            // Once more: the jobs begin anew.
            await trial?.run();
            expect(trial?.output()).toEqual(plainSums(inner, outer, columns));
          } finally {
            trial?.dispose();
          }
        },
      ),
      { numRuns: 60 },
    );
  }
});

/** Exact: values have 7 bits, so no sum of a few hundred products is rounded. */
function plainSums(inner: number, outer: number, columns: number): Float32Array {
  const [weights, bias, input] = [
    someFloats(inner * outer),
    someFloats(outer),
    someFloats(inner * columns),
  ] as const;
  return Float32Array.from({ length: outer * columns }, (_, index) => {
    const [row, column] = [index % outer, Math.floor(index / outer)];
    let sum = bias[row] as number;
    for (let at = 0; at < inner; at++) {
      sum += (weights[row * inner + at] as number) * (input[column * inner + at] as number);
    }
    return sum;
  });
}

test('all kernels for this machine work here', async () => {
  const kernels = kernelsFor(native.systemInfo);
  expect(await workingKernels(native.ggml, backend, kernels)).toEqual({ working: kernels, problems: [] });
});

test('a kernel that gives something else is not used, and said', async () => {
  const kernels = kernelsFor(native.systemInfo);
  const returnAtOnce = Uint8Array.of(0xc3);
  vi.spyOn(matmulCodes, 'matmulCode').mockReturnValue(returnAtOnce);
  const { working, problems } = await workingKernels(native.ggml, backend, kernels);
  vi.restoreAllMocks();
  expect(working).toEqual([]);
  expect(problems).toHaveLength(kernels.length);
  for (const problem of problems) expect(problem).toMatch(/^avx\w+ is .* off$/);
});

test('a system that lends no memory for code is told of', async () => {
  vi.spyOn(matmulCodes, 'matmulCode').mockReturnValue(new Uint8Array(0));
  const kernels = kernelsFor(native.systemInfo);
  const { working, problems } = await workingKernels(native.ggml, backend, kernels);
  vi.restoreAllMocks();
  expect(working).toEqual([]);
  expect(problems).toEqual(kernels.map(({ name }) => `${name}: no memory for 0 bytes of code`));
});
