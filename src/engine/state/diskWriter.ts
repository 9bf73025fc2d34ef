import { AfterimageError } from '../../core/errors.ts';
import type { Logger } from '../ipc/logger.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { DiskObject, DiskTier } from './diskTier.ts';
import type { RamTier } from './ramTier.ts';
import { snapshotMeta } from './snapshotMeta.ts';

/** After a failed write the disk is left alone for this long: a full one doesn't empty itself at once. */
const retryMs = 5_000;
/** Memory that may be over its budget while writes are under way, in shares of the budget and in bytes. */
const overdraftShare = 0.25;
const minOverdraftBytes = 64 * 2 ** 20;

/** Writes checkpoints to disk, one after the other, off the answering path. Answers never depend on it. */
export class DiskWriter {
  failures = 0;
  readonly #disk: DiskTier;
  readonly #logger: Logger;
  readonly #onWritten: (checkpoint: Checkpoint, object: DiskObject) => void;
  #pausedUntil = 0;
  /** No wait and no other's end makes room for them. */
  readonly #tooLarge = new WeakSet<Checkpoint>();
  /** Under way. */
  readonly #writes = new Map<Checkpoint, Promise<void>>();

  constructor(
    disk: DiskTier,
    logger: Logger,
    onWritten: (checkpoint: Checkpoint, object: DiskObject) => void,
  ) {
    this.#disk = disk;
    this.#logger = logger;
    this.#onWritten = onWritten;
  }

  /** Pure. What is nobody's stays off the disk, and what is larger than all of it. */
  canWrite(checkpoint: Checkpoint): boolean {
    const { scope, state, diskId } = checkpoint;
    return (
      scope !== undefined &&
      state !== undefined &&
      diskId === undefined &&
      !this.#tooLarge.has(checkpoint) &&
      performance.now() >= this.#pausedUntil
    );
  }

  /** Whether writing can't keep up with what should leave memory. */
  isBehind(ram: RamTier): boolean {
    return ram.bytes > ram.maxBytes + Math.max(minOverdraftBytes, overdraftShare * ram.maxBytes);
  }

  enqueue(checkpoint: Checkpoint): void {
    void this.#written(checkpoint);
  }

  /** Resolves when all are written, or failed, or the deadline has passed. */
  async writeAll(checkpoints: readonly Checkpoint[], deadline: AbortSignal): Promise<void> {
    const { promise: timeUp, resolve } = Promise.withResolvers<void>();
    deadline.addEventListener('abort', () => resolve(), { once: true });
    if (deadline.aborted) return;
    // It is the last chance: a disk that was full a moment ago may not be.
    this.#pausedUntil = 0;
    for (const checkpoint of checkpoints) {
      if (deadline.aborted || !this.canWrite(checkpoint)) continue;
      await Promise.race([this.#written(checkpoint), timeUp]);
    }
  }

  /** Resolves when it is written, or failed; what is being written is not written again. */
  #written(checkpoint: Checkpoint): Promise<void> {
    let writing = this.#writes.get(checkpoint);
    if (!writing) {
      writing = this.#write(checkpoint).finally(() => this.#writes.delete(checkpoint));
      this.#writes.set(checkpoint, writing);
    }
    return writing;
  }

  async #write(checkpoint: Checkpoint): Promise<void> {
    const { tenant, scope, segments, state, bytes } = checkpoint;
    if (!scope || !state) return;
    const writing = new AbortController();
    checkpoint.writing = writing;
    try {
      const object = { kind: 'snapshot', tenant, scope, meta: snapshotMeta(segments, bytes) } as const;
      const written = await this.#disk.write(object, state, { signal: writing.signal });
      this.#onWritten(checkpoint, written);
    } catch (error) {
      if (this.#isTooLarge(error)) this.#tooLarge.add(checkpoint);
      else if (!writing.signal.aborted) this.#failed(error);
    } finally {
      if (checkpoint.writing === writing) checkpoint.writing = undefined;
    }
  }

  #isTooLarge(error: unknown): boolean {
    if (!(error instanceof AfterimageError) || error.code !== 'storage_full') return false;
    return Number(error.details.bytes) > this.#disk.maxBytes;
  }

  #failed(error: unknown): void {
    const isFirst = performance.now() >= this.#pausedUntil;
    this.failures++;
    this.#pausedUntil = performance.now() + retryMs;
    if (isFirst) this.#logger.warn({ reason: String(error), retryMs }, 'state: not written to disk');
  }
}
