import { expect, test, vi } from 'vitest';
import { cpuBackend } from '../../../test/helpers/cpuBackend.ts';
import { kernelsFor } from './kernel/matmulKernel.ts';
import { chooseWeightType, probeMatmul } from './probe.ts';
import * as trialMatmuls from './trialMatmul.ts';

test.each([
  ['f16', { f16: 100, bf16: 124, q8_0: 300 }, 'f16'],
  ['f16', { f16: 100, bf16: 126, q8_0: 300 }, 'bf16'],
  ['bf16', { f16: 130, bf16: 100 }, 'f16'],
  ['bf16', { f16: 100 }, 'f16'],
  ['q8_0', { f16: 100, bf16: 90, q8_0: 200 }, 'q8_0'],
  ['q8_0', { f16: 300, bf16: 90, q8_0: 200 }, 'f16'],
  ['f32', { f32: 100, f16: 110, bf16: 110 }, 'f32'],
  ['f16', {}, 'f16'],
] as const)('a %s file with %o is held as %s', (own, gflops, chosen) => {
  expect(chooseWeightType(own, gflops, [])).toBe(chosen);
});

test('where there is AMX an f16 file is held as bf16, whatever a busy machine measures', () => {
  const linux = { platform: 'linux', arch: 'x64' } as const;
  const kernels = kernelsFor('AVX512 = 1 | AVX512_BF16 = 1 | AMX_INT8 = 1', linux);
  expect(chooseWeightType('f16', { f16: 200, bf16: 100 }, kernels)).toBe('bf16');
  expect(chooseWeightType('q8_0', { f16: 100, bf16: 110, q8_0: 100 }, kernels)).toBe('q8_0');
});

const { native, backend } = await cpuBackend();

test('measures every type this machine multiplies, and skips q8_0 where rows are no whole blocks', async () => {
  const measured = await probeMatmul(
    native.ggml,
    backend,
    { inner: 192, outer: 768 },
    ['f16', 'bf16', 'q8_0'],
    [],
  );
  expect(Object.keys(measured)).toEqual(['f16', 'bf16', 'q8_0']);
  for (const gflops of Object.values(measured)) expect(gflops).toBeGreaterThan(0.1);
  const odd = await probeMatmul(native.ggml, backend, { inner: 72, outer: 768 }, ['f16', 'q8_0'], []);
  expect(Object.keys(odd)).toEqual(['f16']);
});

test('a type that a kernel is for is measured by the kernel', async () => {
  const kernels = kernelsFor(native.systemInfo);
  const trials = vi.spyOn(trialMatmuls, 'trialMatmul');
  await probeMatmul(native.ggml, backend, { inner: 192, outer: 768 }, ['f16', 'bf16', 'q8_0'], kernels);
  const kernelOf = (type: string) => kernels.find(({ weightType }) => weightType === type) ?? type;
  expect(trials.mock.calls.map(([, , , how]) => how)).toEqual([kernelOf('f16'), kernelOf('bf16'), 'q8_0']);
  trials.mockRestore();
});
