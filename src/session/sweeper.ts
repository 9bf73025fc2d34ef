import type { BlobHolders } from './blobHolders.ts';
import type { SessionConfig } from './config.ts';
import type { Counters } from './counters.ts';
import type { FileVault } from './fileVault.ts';
import type { ReplyPointers } from './replyPointers.ts';
import type { SessionStore } from './sessionStore.ts';

/** Taken from the store at once: what a sweep has taken and a crash keeps it from clearing up waits for the audit of blobs. */
const batch = 100;

/** Removes what has expired, every few seconds. */
export class Sweeper {
  readonly #parts: SweeperParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    await this.sweep();
    const { config, onProblem } = this.#parts;
    this.#timer = setInterval(() => {
      this.sweep().catch(onProblem);
    }, config.sweepIntervalMs);
    this.#timer.unref();
  }

  stop(): void {
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
    const { sessions, vault, blobs, pointers, counters } = this.#parts;
    counters.sessionsExpired += await untilEmpty(() => sessions.sweep(batch));
    await untilEmpty(() => vault.sweep(batch));
    await untilEmpty(() => pointers.sweep(batch));
    await untilEmpty(() => sessions.sweepTombstones(batch));
    await untilEmpty(() => blobs.audit(batch));
  }
}

export interface SweeperParts {
  readonly sessions: SessionStore;
  readonly vault: FileVault;
  readonly blobs: BlobHolders;
  readonly pointers: ReplyPointers;
  readonly config: SessionConfig;
  readonly counters: Counters;
  readonly onProblem: (error: unknown) => void;
}

async function untilEmpty(take: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (;;) {
    const taken = await take();
    sum += taken;
    if (taken < batch) return sum;
  }
}
