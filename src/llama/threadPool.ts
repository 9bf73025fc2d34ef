import koffi from 'koffi';
import { failure } from '../core/errors.ts';
import type { Pointer } from './binding.ts';
import type { Ggml } from './ggml.ts';
import { nativeRelease } from './libraries.ts';

/** Threads that live as long as a CPU backend; without them every graph starts and joins its own. */
export interface ThreadPool {
  readonly pointer: Pointer;
  /** Only after the backend that uses it is freed. */
  dispose(): void;
}

/**
 * Attaches a pool to a CPU backend; undefined on a GPU, whose registry exports no such functions. A pool works on one
 * graph at a time.
 * @throws native_layout_mismatch
 */
export function attachThreadPool(
  ggml: Ggml,
  registry: Pointer,
  backend: Pointer,
  threads: number,
): ThreadPool | undefined {
  const create = ggml.ggml_backend_reg_get_proc_address(registry, 'ggml_threadpool_new');
  const free = ggml.ggml_backend_reg_get_proc_address(registry, 'ggml_threadpool_free');
  const attach = ggml.ggml_backend_reg_get_proc_address(registry, 'ggml_backend_cpu_set_threadpool');
  if (!create || !free || !attach) return undefined;
  const defaults = ggml.ggml_threadpool_params_default(threads);
  checkDefaults(defaults, threads);
  // Decoder and vision tower share the pool and take turns, so its default of polling a while for the next graph costs
  // nobody a core and saves waking up: the embedded model decodes a third faster than without polling.
  const pointer: Pointer = koffi.decode(create, createPrototype)(defaults);
  koffi.decode(attach, attachPrototype)(backend, pointer);
  return { pointer, dispose: () => koffi.decode(free, freePrototype)(pointer) };
}

const createPrototype = koffi.proto('void *afterimage_threadpool_new(ggml_threadpool_params *params)');
const attachPrototype = koffi.proto('void afterimage_set_threadpool(void *backend, void *pool)');
const freePrototype = koffi.proto('void afterimage_threadpool_free(void *pool)');

function checkDefaults(defaults: Readonly<Record<string, unknown>>, threads: number): void {
  const expected = { n_threads: threads, prio: 0, poll: 50, strict_cpu: false, paused: false };
  for (const [field, value] of Object.entries(expected)) {
    if (defaults[field] === value) continue;
    throw failure('native_layout_mismatch', {
      release: nativeRelease,
      field: `ggml_threadpool_params.${field}`,
      actual: String(defaults[field]),
      expected: String(value),
    });
  }
}
