import type { InferencePort } from '../core/inference.ts';
import { within } from '../core/within.ts';
import type { BlobHolders } from './blobHolders.ts';
import type { Retention } from './config.ts';
import type { LiveTurn, LiveTurns } from './liveTurn.ts';
import type { PictureRecord, SessionRecord } from './record.ts';

/** An engine that is just starting isn't waited for longer at the end. */
const stopMs = 1_000;

/**
 * Lets the pixels of a session's pictures go once a turn has committed, if that is the policy. What a crash kept from going goes
 * after the session's next turn, or with the session.
 */
export class PixelRetention {
  readonly #retention: Retention;
  readonly #engine: InferencePort;
  readonly #blobs: BlobHolders;
  readonly #live: LiveTurns;
  readonly #onProblem: (error: unknown) => void;
  readonly #underway = new Set<Promise<void>>();
  #isStopped = false;

  constructor(parts: {
    retention: Retention;
    engine: InferencePort;
    blobs: BlobHolders;
    live: LiveTurns;
    onProblem: (error: unknown) => void;
  }) {
    this.#retention = parts.retention;
    this.#engine = parts.engine;
    this.#blobs = parts.blobs;
    this.#live = parts.live;
    this.#onProblem = parts.onProblem;
  }

  get keepsVectors(): boolean {
    return this.#retention !== 'none';
  }

  /** To be told of every end of a turn that leaves a session. In the background: nobody waits for it. */
  ended(turn: LiveTurn, { session, pictures }: SessionRecord): void {
    if (this.#retention === 'pixels') return;
    const work = this.#letGo(turn, session, pictures).catch((error) => {
      if (!this.#isStopped) this.#onProblem(error);
    });
    this.#underway.add(work);
    void work.then(() => this.#underway.delete(work));
  }

  /** Waits a moment for what is under way, and leaves the rest. */
  async stop(): Promise<void> {
    await within(Promise.all(this.#underway), stopMs);
    this.#isStopped = true;
  }

  async #letGo(turn: LiveTurn, session: string, pictures: readonly PictureRecord[]): Promise<void> {
    const { tenant } = turn;
    for (const picture of pictures) {
      const { blobId } = picture;
      if (!(await this.#blobs.isHeldBy(tenant, blobId, `session:${session}`))) continue;
      // The same bytes at another detail are another picture to the engine.
      const ofBlob = pictures.filter((other) => other.blobId === blobId);
      const isDispensable = await this.#isDispensable(tenant, ofBlob);
      // Another one may need what this one doesn't; when it ends it is looked at again.
      const running = this.#live.of(tenant, session);
      if (this.#isStopped || (running && running !== turn)) return;
      if (isDispensable) await this.#blobs.letGo(tenant, blobId, `session:${session}`);
    }
  }

  async #isDispensable(tenant: string, pictures: readonly PictureRecord[]): Promise<boolean> {
    if (this.#retention === 'none') return true;
    for (const picture of pictures) if (!(await this.#engine.keepsFeatures(tenant, picture))) return false;
    return true;
  }
}
