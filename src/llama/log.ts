import koffi, { type LibraryHandle } from 'koffi';

/** `enum ggml_log_level`; CONT continues the line before. */
const levels = ['debug', 'debug', 'info', 'warn', 'error', 'debug'] as const;
export type NativeLogLevel = (typeof levels)[number];
export type NativeLogSink = (level: NativeLogLevel, line: string) => void;

/**
 * Makes the native callback that sends log lines to `sink`. It lives as long as the process: the libraries keep its
 * address, and may call it from any of their threads (koffi hands the call over to the main thread).
 */
function createLogCallback(sink: NativeLogSink): bigint {
  const prototype = koffi.proto('void afterimage_log(int level, const char *text, void *user)');
  let pending = '';
  let level: NativeLogLevel = 'info';
  return koffi.register((code: number, text: string) => {
    if (code !== 5) level = levels[code] ?? 'info';
    pending += text;
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) if (line.trim()) sink(level, line.trimEnd());
  }, koffi.pointer(prototype));
}

let callback: bigint | undefined;

/** Redirects one library's log; the first sink given stays for the process. */
export function redirectLog(
  library: LibraryHandle,
  setter: 'ggml_log_set' | 'llama_log_set',
  sink: NativeLogSink,
): void {
  callback ??= createLogCallback(sink);
  library.func(setter, 'void', ['void*', 'void*'])(callback, null);
}
