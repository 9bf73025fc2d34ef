/** How a matmul is computed by code of our own: which instructions, and how wide. */
export interface MatmulKernel {
  readonly name: 'amx_bf16' | 'avx512_bf16' | 'avx512' | 'avx2';
  /** What the weights are held as. bf16 multiplies bf16 by bf16, f16 f16 by f32; both add up in f32. */
  readonly weightType: 'bf16' | 'f16';
  readonly vectorBytes: 32 | 64;
  /** Intel's matrix registers do the most of it, vectors the rest. */
  readonly usesTiles: boolean;
}

/** The library tells of one kind of AMX only, though no CPU has had AMX_INT8 without AMX_BF16 (`allowTiles` looks). */
const kernels: readonly (MatmulKernel & { readonly needs: readonly string[] })[] = [
  {
    name: 'amx_bf16',
    weightType: 'bf16',
    vectorBytes: 64,
    usesTiles: true,
    needs: ['AMX_INT8', 'AVX512_BF16'],
  },
  { name: 'avx512_bf16', weightType: 'bf16', vectorBytes: 64, usesTiles: false, needs: ['AVX512_BF16'] },
  { name: 'avx512', weightType: 'f16', vectorBytes: 64, usesTiles: false, needs: ['AVX512'] },
  { name: 'avx2', weightType: 'f16', vectorBytes: 32, usesTiles: false, needs: ['AVX2', 'FMA', 'F16C'] },
];

/** Rows of the weights in one vector register. */
export const lanesOf = ({ vectorBytes }: MatmulKernel): number => vectorBytes / 4;

/** Values of a row that one step takes, of one row 2 or 4 bytes. */
export const valuesPerStep = ({ weightType }: MatmulKernel): 1 | 2 => (weightType === 'bf16' ? 2 : 1);

/** Rows of the weights side by side: two vectors. */
export const panelRows = (kernel: MatmulKernel): number => 2 * lanesOf(kernel);

/**
 * All kernels that run on this machine, best first; none but on Linux on x86-64, whose calling convention they have.
 * @param systemInfo what the loaded CPU library says of itself, `AVX2 = 1 | ...`: it was chosen because the CPU can do that
 */
export function kernelsFor(
  systemInfo: string,
  { platform, arch }: Pick<NodeJS.Process, 'platform' | 'arch'> = process,
): readonly MatmulKernel[] {
  if (platform !== 'linux' || arch !== 'x64') return [];
  const has = (feature: string): boolean => new RegExp(`\\b${feature} = 1\\b`).test(systemInfo);
  return kernels.filter(({ needs }) => needs.every(has));
}

/** The first kernel for a matrix [inner, outer] held as this type. */
export const kernelFor = (
  kernels: readonly MatmulKernel[],
  type: string,
  inner: number,
  outer: number,
): MatmulKernel | undefined =>
  kernels.find(
    (kernel) =>
      kernel.weightType === type && inner % valuesPerStep(kernel) === 0 && outer % lanesOf(kernel) === 0,
  );

/**
 * Lays weights [inner, outer] as a kernel reads them: panels of rows (the last may be half as high), in each panel step after step,
 * of a step all rows side by side.
 * @param packed as long as the weights: memory that was touched before is ten times as fast as new one
 */
export function packPanels(
  kernel: MatmulKernel,
  weights: Uint8Array<ArrayBuffer>,
  inner: number,
  outer: number,
  packed: Uint8Array<ArrayBuffer>,
): void {
  const steps = inner / valuesPerStep(kernel);
  const Units = valuesPerStep(kernel) === 2 ? Uint32Array : Uint16Array;
  const from = new Units(weights.buffer, weights.byteOffset, steps * outer);
  const to = new Units(packed.buffer, packed.byteOffset, steps * outer);
  let at = 0;
  for (let first = 0; first < outer; first += panelRows(kernel)) {
    const end = Math.min(first + panelRows(kernel), outer) * steps;
    for (let step = 0; step < steps; step++) {
      for (let unit = first * steps + step; unit < end; unit += steps) to[at++] = from[unit] as number;
    }
  }
}
