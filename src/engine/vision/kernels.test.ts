import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { cpuBackend } from '../../../test/helpers/cpuBackend.ts';
import type { MatmulShape } from './kernel/block.ts';
import * as matmulCodes from './kernel/matmulCode.ts';
import { jobColumns } from './kernel/matmulCode.ts';
import { kernelsFor, lanesOf, type MatmulKernel, valuesPerStep } from './kernel/matmulKernel.ts';
import { someFloats, trialMatmul } from './trialMatmul.ts';
import { workingKernels } from './workingKernels.ts';

const { native, backend } = await cpuBackend();
afterEach(() => vi.restoreAllMocks());

async function expectPlainSums(kernel: MatmulKernel, shape: MatmulShape): Promise<void> {
  const trial = await trialMatmul(native.ggml, backend, shape, kernel);
  try {
    await trial?.run();
    // Once more: the jobs begin anew.
    await trial?.run();
    expect(trial?.output(), `${kernel.name} ${JSON.stringify(shape)}`).toEqual(plainSums(shape));
  } finally {
    trial?.dispose();
  }
}

test('every kernel for this machine gives what the plain sums give, whatever the shape', async () => {
  const kernels = kernelsFor(native.systemInfo);
  if (process.platform === 'linux' && process.arch === 'x64') expect(kernels.length).toBeGreaterThan(0);
  for (const kernel of kernels) {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 60 }),
        (steps, vectors, columns) => {
          const [inner, outer] = [steps * valuesPerStep(kernel), vectors * lanesOf(kernel)];
          return expectPlainSums(kernel, { inner, outer, columns });
        },
      ),
      { numRuns: 60 },
    );
  }
});

test('columns are the same in one job and in several', async () => {
  for (const kernel of kernelsFor(native.systemInfo)) {
    for (const steps of [1_024, 4_608, 9_001]) {
      const [inner, outer] = [steps * valuesPerStep(kernel), 3 * lanesOf(kernel)];
      for (const more of [-1, 0, 1, 5]) {
        await expectPlainSums(kernel, { inner, outer, columns: jobColumns(kernel, inner) + more });
      }
    }
  }
});

/** Exact, like what `someFloats` makes up. */
function plainSums({ inner, outer, columns }: MatmulShape): Float32Array {
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
  for (const kernel of kernels) {
    const found = await workingKernels(native.ggml, backend, [kernel]);
    expect(found).toEqual({ working: [kernel], problems: [] });
  }
});

test('of kernels for the same weights the first one that works is used', async () => {
  const kernels = kernelsFor(native.systemInfo);
  const { working, problems } = await workingKernels(native.ggml, backend, kernels);
  const types = [...new Set(kernels.map(({ weightType }) => weightType))];
  expect(working).toEqual(types.map((type) => kernels.find(({ weightType }) => weightType === type)));
  expect(problems).toEqual([]);
});

test.runIf(kernelsFor(native.systemInfo).length > 0)(
  'where the best kernel does not work the next one for the same weights is used',
  async () => {
    const [best, next] = ['best', 'next'].map((name) => ({ ...kernelsFor(native.systemInfo)[0], name }));
    const code = matmulCodes.matmulCode;
    vi.spyOn(matmulCodes, 'matmulCode').mockImplementation((kernel, shape) =>
      (kernel.name as string) === 'best' ? Uint8Array.of(0xc3) : code(kernel, shape),
    );
    const { working, problems } = await workingKernels(native.ggml, backend, [best, next] as MatmulKernel[]);
    expect(working).toEqual([next]);
    expect(problems).toEqual([expect.stringMatching(/^best is .* off$/)]);
  },
);

test('a kernel that gives something else is not used, and said', async () => {
  const kernels = kernelsFor(native.systemInfo);
  const returnAtOnce = Uint8Array.of(0xc3);
  vi.spyOn(matmulCodes, 'matmulCode').mockReturnValue(returnAtOnce);
  const { working, problems } = await workingKernels(native.ggml, backend, kernels);
  expect(working).toEqual([]);
  expect(problems).toHaveLength(kernels.length);
  for (const problem of problems) expect(problem).toMatch(/^a[vm]x\w+ is .* off$/);
});

test('a system that lends no memory for code is told of', async () => {
  vi.spyOn(matmulCodes, 'matmulCode').mockReturnValue(new Uint8Array(0));
  const kernels = kernelsFor(native.systemInfo);
  const { working, problems } = await workingKernels(native.ggml, backend, kernels);
  expect(working).toEqual([]);
  expect(problems).toEqual(kernels.map(({ name }) => `${name}: no memory for 0 bytes of code`));
});
