import koffi from 'koffi';
import { failure } from '../../../core/errors.ts';
import type { Pointer } from '../../../llama/binding.ts';

const protection = { read: 1, write: 2, execute: 4 } as const;
/** `MAP_PRIVATE | MAP_ANONYMOUS` of Linux. */
const privateAnonymous = 0x22;
/** `MAP_FAILED` */
const failed = 0xffff_ffff_ffff_ffffn;

/** Machine code that can be run and not be written. Owns its pages. */
export class ExecutableCode {
  readonly pointer: Pointer;
  readonly bytes: number;
  #isDisposed = false;

  /** Linux only. @throws engine_failed when the system lends no such memory */
  constructor(code: Uint8Array) {
    const { mmap, mprotect } = memoryCalls();
    this.bytes = code.length;
    this.pointer = mmap(null, code.length, protection.read | protection.write, privateAnonymous, -1, 0);
    if (!this.pointer || this.pointer === failed) {
      throw failure('engine_failed', { reason: `no memory for ${code.length} bytes of code` });
    }
    new Uint8Array(koffi.view(this.pointer, code.length)).set(code);
    if (mprotect(this.pointer, code.length, protection.read | protection.execute) === 0) return;
    this.dispose();
    throw failure('engine_failed', { reason: 'the system does not let this process run code of its own' });
  }

  /** Only when nothing runs it any more. Idempotent. */
  dispose(): void {
    if (!this.#isDisposed) memoryCalls().munmap(this.pointer, this.bytes);
    this.#isDisposed = true;
  }
}

interface MemoryCalls {
  readonly mmap: (
    at: null,
    bytes: number,
    protection: number,
    flags: number,
    file: number,
    offset: number,
  ) => Pointer;
  readonly mprotect: (at: Pointer, bytes: number, protection: number) => number;
  readonly munmap: (at: Pointer, bytes: number) => number;
}

let calls: MemoryCalls | undefined;

/** Of the C library this process runs on. */
function memoryCalls(): MemoryCalls {
  if (calls) return calls;
  const process = koffi.load(null);
  calls = {
    mmap: process.func('mmap', 'void*', ['void*', 'size_t', 'int', 'int', 'int', 'int64']),
    mprotect: process.func('mprotect', 'int', ['void*', 'size_t', 'int']),
    munmap: process.func('munmap', 'int', ['void*', 'size_t']),
  } as MemoryCalls;
  return calls;
}
