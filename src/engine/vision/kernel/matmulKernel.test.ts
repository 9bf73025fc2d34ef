import { expect, test } from 'vitest';
import { kernelFor, kernelsFor, type MatmulKernel, packPanels } from './matmulKernel.ts';

const linux = { platform: 'linux', arch: 'x64' } as const;
const names = (systemInfo: string, machine: Parameters<typeof kernelsFor>[1] = linux): string[] =>
  kernelsFor(systemInfo, machine).map(({ name }) => name);
const kernel = (name: MatmulKernel['name']): MatmulKernel =>
  kernelsFor('AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512 = 1 | AVX512_BF16 = 1', linux).find(
    (one) => one.name === name,
  ) as MatmulKernel;

test('a kernel is there for a CPU that has all it needs', () => {
  expect(names('CPU : AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512 = 1 | AVX512_BF16 = 1 |')).toEqual([
    'avx512_bf16',
    'avx512',
    'avx2',
  ]);
  expect(names('CPU : AVX512_BF16 = 1 | AMX_INT8 = 1')).toEqual(['amx_bf16', 'avx512_bf16']);
  expect(names('CPU : AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512_VNNI = 1')).toEqual(['avx2']);
  expect(names('CPU : AVX2 = 1 | F16C = 0 | FMA = 1')).toEqual([]);
  expect(names('CPU : NEON = 1')).toEqual([]);
});

test('on other systems and machines there is none', () => {
  for (const machine of [
    { platform: 'win32', arch: 'x64' },
    { platform: 'darwin', arch: 'x64' },
    { platform: 'linux', arch: 'arm64' },
  ] as const) {
    expect(names('AVX2 = 1 | F16C = 1 | FMA = 1', machine)).toEqual([]);
  }
});

test('a matrix gets the best kernel of its type that fits it', () => {
  const all = (['avx512_bf16', 'avx512', 'avx2'] as const).map(kernel);
  const chosen = (...of: [type: string, inner: number, outer: number]) => kernelFor(all, ...of)?.name;
  expect(chosen('f16', 1_024, 4_304)).toBe('avx512');
  expect(chosen('f16', 1_024, 24)).toBe('avx2');
  expect(chosen('f16', 1_024, 20)).toBeUndefined();
  expect(chosen('bf16', 1_152, 4_304)).toBe('avx512_bf16');
  expect(chosen('bf16', 1_151, 4_304)).toBeUndefined();
  expect(chosen('q8_0', 1_024, 1_024)).toBeUndefined();
});

test('panels hold step after step the values of all their rows', () => {
  // Rows of 4 values, named by row and column.
  const halves = (rows: number): Uint16Array<ArrayBuffer> =>
    Uint16Array.from({ length: rows * 4 }, (_, index) => Math.floor(index / 4) * 10 + (index % 4));
  const packed = (name: MatmulKernel['name'], rows: number): number[] => {
    const to = new Uint8Array(rows * 8);
    packPanels(kernel(name), new Uint8Array(halves(rows).buffer), 4, rows, to);
    return [...new Uint16Array(to.buffer)];
  };
  const single = packed('avx2', 24);
  expect(single.slice(0, 3)).toEqual([0, 10, 20]);
  expect(single.slice(16, 19)).toEqual([1, 11, 21]);
  // The second panel has 8 rows.
  expect(single.slice(64, 67)).toEqual([160, 170, 180]);
  expect(single.slice(72, 75)).toEqual([161, 171, 181]);
  const pairs = packed('avx512_bf16', 48);
  expect(pairs.slice(0, 4)).toEqual([0, 1, 10, 11]);
  expect(pairs.slice(64, 68)).toEqual([2, 3, 12, 13]);
  expect(pairs.slice(128, 132)).toEqual([320, 321, 330, 331]);
  expect(pairs.slice(160, 164)).toEqual([322, 323, 332, 333]);
});
