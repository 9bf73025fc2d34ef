import { failure } from '../../core/errors.ts';
import { addressOf, type Pointer } from '../../llama/binding.ts';
import { nativeRelease } from '../../llama/libraries.ts';
import type { Native } from '../../llama/native.ts';

/** A decode ended before its end because it was asked to; the memory is as it was before. */
export class DecodeAborted extends Error {
  constructor() {
    super('the decode was aborted');
    this.name = 'DecodeAborted';
  }
}

/** Whether a line of the native log only says so: `GGML_STATUS_ABORTED` is 1, and `llama_decode` answers 2 then. */
export function saysAborted(line: string): boolean {
  return /graph_compute\w* failed with error 1$|compute status: 1$|failed to decode, ret = 2$/.test(
    line.trim(),
  );
}

/** `ne[0]` of `struct ggml_tensor { enum ggml_type; ggml_backend_buffer *; int64_t ne[4]; ... }`, in 8-byte words. */
const firstSide = 2;

/**
 * Stops a native decode from the event loop while it runs on a worker thread. The CPU back end asks a
 * `bool (*)(void *)` before every operation of the graph; `ggml_is_empty` is one, true for a tensor with a side of 0. So
 * the answer is a word of memory, and no JavaScript is called from native threads. Other back ends don't ask.
 */
export class DecodeAbort {
  /** `abort_callback` and `abort_callback_data` of the context; the latter is this object's memory. */
  readonly callback: Pointer;
  readonly data: bigint;
  // Small typed arrays live inside the JavaScript heap, where the collector moves them: this one is large.
  readonly #tensor = new BigInt64Array(128).fill(1n);

  /** @throws native_layout_mismatch */
  constructor({ ggml, libraries }: Pick<Native, 'ggml' | 'libraries'>) {
    this.callback = libraries.base.symbol('ggml_is_empty', 'void*');
    this.data = addressOf(this.#tensor);
    this.request();
    const stops = ggml.ggml_is_empty(this.#tensor);
    this.reset();
    if (!stops || ggml.ggml_is_empty(this.#tensor)) {
      const field = 'ggml_tensor.ne';
      const [actual, expected] = ['elsewhere', `at byte ${8 * firstSide}`];
      throw failure('native_layout_mismatch', { release: nativeRelease, field, actual, expected });
    }
  }

  request(): void {
    this.#tensor[firstSide] = 0n;
  }

  reset(): void {
    this.#tensor[firstSide] = 1n;
  }
}
