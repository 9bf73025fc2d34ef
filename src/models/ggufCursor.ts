import { readSync } from 'node:fs';
import { failure } from '../core/errors.ts';

/**
 * Bounds on what a header may ask us to hold: several times what released models have (a header of 6 MiB, lists of
 * 151,936), and far below what would hurt.
 */
export const ggufLimits = {
  maxHeaderBytes: 64 * 1024 * 1024,
  maxMetadataEntries: 4096,
  maxArrayLength: 1024 * 1024,
  maxStringBytes: 4 * 1024 * 1024,
  maxKeyBytes: 65_535,
  maxTensors: 65_536,
  /** `GGML_MAX_NAME` - 1. */
  maxTensorNameBytes: 63,
  /** `GGML_MAX_DIMS`. */
  maxDimensions: 4,
} as const;

const windowBytes = 64 * 1024;

/**
 * Reads the little-endian values of a GGUF header one after another through a small window, so that no more than
 * `windowBytes` of what follows the header is ever read. Reads are synchronous: a header is a few megabytes, in
 * hundreds of thousands of pieces.
 *
 * Every read throws model_file_truncated where the file ends before the value does.
 */
export class GgufCursor {
  /** Of the next byte to read, from the start of the file. */
  offset = 0;
  readonly path: string;
  private readonly fd: number;
  private readonly fileBytes: number;
  private window: Buffer = Buffer.alloc(0);
  private windowOffset = 0;

  /** The caller owns `fd`; `fileBytes` is the file's size, `path` only names it in errors. */
  constructor(fd: number, path: string, fileBytes: number) {
    this.fd = fd;
    this.path = path;
    this.fileBytes = fileBytes;
  }

  /** The next bytes; the view is good until the next read. */
  take(bytes: number): Buffer {
    const end = this.offset + bytes;
    if (end > ggufLimits.maxHeaderBytes) {
      throw this.invalid('its header', `longer than ${ggufLimits.maxHeaderBytes} bytes`);
    }
    if (end > this.fileBytes) throw this.truncated(`at least ${end}`);
    if (end > this.windowOffset + this.window.length) this.slide(bytes);
    const start = this.offset - this.windowOffset;
    this.offset = end;
    return this.window.subarray(start, start + bytes);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  /** A count, length or offset: no such number of a real file is too large for a double. */
  size(what: string, limit: number = Number.MAX_SAFE_INTEGER): number {
    const bytes = this.take(8);
    const value = bytes.readUInt32LE(4) * 2 ** 32 + bytes.readUInt32LE();
    if (value > limit) throw this.invalid(what, `${value}, the limit is ${limit}`);
    return value;
  }

  /** UTF-8 with a 64-bit byte length before it; bytes that are not UTF-8 become U+FFFD. */
  string(what: string, limit: number = ggufLimits.maxStringBytes): string {
    return this.take(this.size(`the length of ${what}`, limit)).toString('utf8');
  }

  invalid(field: string, problem: string): Error {
    return failure('model_metadata_invalid', { path: this.path, field, problem });
  }

  truncated(needed: number | string): Error {
    return failure('model_file_truncated', { path: this.path, bytes: this.fileBytes, needed });
  }

  private slide(bytes: number): void {
    const wanted = Math.min(Math.max(bytes, windowBytes), this.fileBytes - this.offset);
    const window = Buffer.allocUnsafe(wanted);
    let filled = 0;
    while (filled < wanted) {
      const read = readSync(this.fd, window, filled, wanted - filled, this.offset + filled);
      // Only when somebody cuts the file while it is read.
      if (read === 0) throw this.truncated(`at least ${this.offset + wanted}`);
      filled += read;
    }
    this.window = window;
    this.windowOffset = this.offset;
  }
}
