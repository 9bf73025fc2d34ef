import { setImmediate as otherWork } from 'node:timers/promises';
import type { BlobHolders } from './blobHolders.ts';
import type { SessionConfig } from './config.ts';
import type { Counters } from './counters.ts';
import type { FileVault } from './fileVault.ts';
import type { ReplyPointers } from './replyPointers.ts';
import type { SessionEnds } from './sessionEnds.ts';
import type { Tombstones } from './tombstones.ts';

/** Taken from the store at once: what a sweep has taken and a crash keeps it from clearing up waits for the audit of blobs. */
const batch = 20;

/**
 * Removes what has expired, every few seconds. After a night all of yesterday's sessions have expired at once: they end a batch at
 * a time, which waits for the disk as often as one alone would, and between its steps other work gets its turn. `npm run
 * bench:sweep` tells what that takes.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  /** Nobody has to wait for the first sweep: what has expired is treated as gone before it is. */
  start(): void {
    const { config, onProblem } = this.#parts;
    const sweep = (): void => void this.sweep().catch(onProblem);
    sweep();
    this.#timer = setInterval(sweep, config.sweepIntervalMs);
    this.#timer.unref();
  }

  /** A sweep under way ends with what it has taken. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Waits for a sweep under way. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  /** One at a time: a second call waits for the first. */
  sweep(): Promise<void> {
    this.#running ??= this.#sweep().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #sweep(): Promise<void> {
    const { ends, tombstones, vault, blobs, pointers, counters } = this.#parts;
    counters.sessionsExpired += await this.#untilEmpty(() => ends.sweep(batch, otherWork));
    await this.#untilEmpty(() => vault.sweep(batch, otherWork));
    await this.#untilEmpty(() => pointers.sweep(batch));
    await this.#untilEmpty(() => tombstones.sweep(batch));
    await this.#untilEmpty(() => blobs.audit(batch, otherWork));
  }

  async #untilEmpty(take: () => Promise<number>): Promise<number> {
    for (let sum = 0; ; await otherWork()) {
      const taken = await take();
      sum += taken;
      if (taken < batch || this.#isStopped) return sum;
    }
  }
}

export interface SweeperParts {
  readonly ends: SessionEnds;
  readonly tombstones: Tombstones;
  readonly vault: FileVault;
  readonly blobs: BlobHolders;
  readonly pointers: ReplyPointers;
  readonly config: SessionConfig;
  readonly counters: Counters;
  readonly onProblem: (error: unknown) => void;
}
