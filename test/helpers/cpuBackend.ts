import { afterAll } from 'vitest';
import { type Backend, openBackend } from '../../src/llama/backend.ts';
import { type Native, openNative } from '../../src/llama/native.ts';

/** The native libraries and two threads of the CPU, for all tests of a file. */
export async function cpuBackend(): Promise<{ native: Native; backend: Backend }> {
  const native = await openNative('off', () => {});
  const backend = openBackend(native.ggml, 'off', 2);
  afterAll(() => backend.dispose());
  return { native, backend };
}
