import koffi, { type LibraryHandle } from 'koffi';

/**
 * How many devices the NVIDIA driver shows; 0 where there is no driver. A package's CUDA library cannot be asked: it
 * does not even load without one, and what is loaded stays.
 * CUDA driver API, "Initialization" and "Device Management": `cuInit`, `cuDeviceGetCount`; both return 0 on success.
 */
export function cudaDeviceCount(driverName = 'libcuda.so.1'): number {
  let driver: LibraryHandle;
  try {
    driver = koffi.load(driverName);
  } catch {
    return 0; // No driver is the usual case, not a failure.
  }
  const count: [number] = [0];
  const initialized = driver.func('int cuInit(unsigned int flags)')(0) === 0;
  const counted = initialized && driver.func('int cuDeviceGetCount(_Out_ int *count)')(count) === 0;
  return counted ? count[0] : 0;
}
