import koffi from 'koffi';
import { failure } from '../core/errors.ts';
import type { Pointer } from './binding.ts';
import { deviceType, type Ggml } from './ggml.ts';
import type { GpuChoice } from './libraries.ts';
import { attachThreadPool } from './threadPool.ts';

/** A compute device with its threads. Owns the backend; tensors allocated on it must be freed before it. */
export interface Backend {
  readonly pointer: Pointer;
  readonly bufferType: Pointer;
  readonly name: string;
  readonly deviceName: string;
  readonly isGpu: boolean;
  /** Null on a GPU. `llama_attach_threadpool` may lend it to contexts that never compute at the same time. */
  readonly threadPool: Pointer | null;
  dispose(): void;
}

/**
 * The best device a choice allows: a GPU when there is one, else the CPU.
 * @throws gpu_not_found when a GPU was asked for by name
 */
export function openBackend(ggml: Ggml, gpu: GpuChoice, threads: number): Backend {
  const graphics = gpu === 'off' ? null : gpuDevice(ggml);
  if (!graphics && gpu !== 'off' && gpu !== 'auto') throw failure('gpu_not_found', { backend: gpu });
  const device = graphics ?? ggml.ggml_backend_dev_by_type(deviceType.CPU);
  const pointer = ggml.ggml_backend_dev_init(device, '');
  const registry = ggml.ggml_backend_dev_backend_reg(device);
  // CPU only: GPU back ends export no such function.
  const setThreads = ggml.ggml_backend_reg_get_proc_address(registry, 'ggml_backend_set_n_threads');
  if (setThreads) koffi.decode(setThreads, setThreadsPrototype)(pointer, threads);
  const pool = attachThreadPool(ggml, registry, pointer, threads);
  let disposed = false;
  return {
    pointer,
    bufferType: ggml.ggml_backend_get_default_buffer_type(pointer),
    name: ggml.ggml_backend_name(pointer),
    deviceName: ggml.ggml_backend_dev_description(device),
    isGpu: ggml.ggml_backend_dev_type(device) !== deviceType.CPU,
    threadPool: pool?.pointer ?? null,
    dispose() {
      if (disposed) return;
      disposed = true;
      ggml.ggml_backend_free(pointer);
      pool?.dispose();
    },
  };
}

const setThreadsPrototype = koffi.proto('void afterimage_set_n_threads(void *backend, int threads)');

function gpuDevice(ggml: Ggml): Pointer | null {
  return (
    ggml.ggml_backend_dev_by_type(deviceType.GPU) ?? ggml.ggml_backend_dev_by_type(deviceType.IGPU) ?? null
  );
}
