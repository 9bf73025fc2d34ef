import { bindGgml, type Ggml } from './ggml.ts';
import { checkLayout } from './layout.ts';
import { type GpuChoice, loadLibraries, type NativeLibraries } from './libraries.ts';
import { bindLlama, type Llama } from './llama.ts';
import type { NativeLogSink } from './log.ts';

export interface Native {
  readonly llama: Llama;
  readonly ggml: Ggml;
  readonly libraries: NativeLibraries;
  /** The CPU features the loaded back end uses, as it reports them. */
  readonly systemInfo: string;
}

let opened: Promise<Native> | undefined;

/**
 * Opens the native libraries once per process, checks that they are the release these bindings describe, and sends
 * their log lines to `log`.
 * @throws native_library_missing, native_layout_mismatch
 */
export function openNative(gpu: GpuChoice, log: NativeLogSink): Promise<Native> {
  opened ??= open(gpu, log);
  return opened;
}

async function open(gpu: GpuChoice, log: NativeLogSink): Promise<Native> {
  const libraries = await loadLibraries(gpu, log);
  const llama = bindLlama(libraries);
  checkLayout(llama);
  llama.llama_backend_init();
  const systemInfo = llama.llama_print_system_info().trim();
  return { llama, ggml: bindGgml(libraries), libraries, systemInfo };
}
