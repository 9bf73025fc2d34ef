import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HeldSession } from '../../core/request.ts';
import type { Logger } from '../ipc/logger.ts';
import { totalCells } from '../prompt/commonPrefix.ts';
import type { Segment } from '../prompt/segment.ts';
import { PrefillRate } from '../schedule/prefillRate.ts';
import type { Scope } from './checkpoint.ts';
import type { HeldState } from './describeTree.ts';
import type { OwnedDisk } from './diskTier.ts';
import { FeatureTier } from './featureTier.ts';
import { Planner } from './planner.ts';
import { throughFirstImage } from './promptBorders.ts';
import { SharedOwners } from './sharedOwners.ts';
import { StateController } from './stateController.ts';
import { rootKey } from './stateKey.ts';
import { StateTree } from './stateTree.ts';

export interface EngineStateOptions {
  readonly fingerprint: string;
  readonly endsTurn: (token: number) => boolean;
  readonly ramBytes: number;
  readonly ramIdleMs: number;
  readonly unownedTtlMs: number;
  /** Owned from here on. */
  readonly disk?: OwnedDisk | undefined;
  readonly logger: Logger;
}

/** Looking through the files of 10,000 sessions takes longer, computing the state of one again mostly too. */
const resumeWaitMs = 1_000;

/** After this long, uses that could not be written are written again. */
const holdRetryMs = 5_000;

interface Use {
  readonly tenant: string;
  readonly name: string;
  readonly session: string;
}

/** Everything the engine keeps beyond one request, outside its cache, and whose it is. */
export class EngineState {
  readonly rate = new PrefillRate();
  readonly planner = new Planner(this.rate);
  readonly controller: StateController;
  readonly tree: StateTree;
  readonly owners = new SharedOwners();
  readonly disk: OwnedDisk | undefined;
  /** None without a disk. */
  readonly features: FeatureTier | undefined;
  readonly #logger: Logger;
  #scanning: Promise<void> = Promise.resolve();
  #isScanning = false;
  /** Uses that are not on disk yet. */
  readonly #unheld: Use[] = [];
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(options: EngineStateOptions) {
    const root = {
      fingerprint: options.fingerprint,
      salt: options.disk?.salt ?? randomBytes(32),
      adapter: '',
    };
    this.tree = new StateTree((tenant) => rootKey(tenant, root), options.endsTurn);
    const isUsed = (tenant: string, name: string): boolean => this.owners.isUsed(tenant, name);
    this.controller = new StateController({ ...options, tree: this.tree, planner: this.planner, isUsed });
    this.disk = options.disk;
    this.features = this.disk && new FeatureTier(this.disk, this.owners, options.logger);
    this.#logger = options.logger;
  }

  /** Waits until what is on disk is known, but not for long: a request that comes right after a start may find its state there. */
  async resumed(): Promise<void> {
    if (!this.#isScanning) return;
    await Promise.race([this.#scanning, sleep(resumeWaitMs, undefined, { ref: false })]);
  }

  /** Finds what an earlier engine left on disk, in the background. */
  resume(): void {
    if (!this.disk) return;
    const started = performance.now();
    this.#isScanning = true;
    let snapshots = 0;
    const scan = this.disk.scan((object) => {
      if (object.kind === 'features') this.features?.found(object);
      else {
        snapshots++;
        this.controller.found(object);
      }
    });
    this.#scanning = scan
      .finally(() => {
        this.#isScanning = false;
      })
      .then(
        () => this.#logger.info({ snapshots, ms: Math.round(performance.now() - started) }, 'state: resumed'),
        (error) => this.#logger.warn({ reason: String(error) }, 'state: what is on disk could not be read'),
      );
  }

  /**
   * Notes whose a prompt's images and its beginning are, and tells how far and as whose state that beginning is to be kept;
   * undefined for a prompt without images.
   */
  claim(
    { tenant, session }: { tenant: string; session?: string | undefined },
    prompt: readonly Segment[],
  ): { cells: number; scope: Scope | undefined } | undefined {
    const beginning = throughFirstImage(prompt);
    if (!beginning) return undefined;
    const name = this.#nameOf(tenant, beginning.segments);
    if (session !== undefined) {
      this.#use(tenant, name, session);
      for (const segment of prompt) if (segment.kind === 'image') this.#use(tenant, segment.key, session);
    }
    const isOwned = this.owners.isUsed(tenant, name);
    return { cells: totalCells(beginning.segments), scope: isOwned ? { image: name } : undefined };
  }

  /**
   * Forgets a tenant's state, or what is one session's alone; nothing of it can be read any more when this resolves.
   * @param images names that only this session used, as `owners.release` gave them
   */
  async forget(tenant: string, session: string | undefined, images: readonly string[]): Promise<void> {
    this.controller.forget(tenant, session, images);
    const gone = (await this.disk?.forget(tenant, session)) ?? [];
    this.controller.forgetObjects(gone);
    this.features?.dropObjects(gone);
  }

  /** Objects are not on disk any more. */
  dropObjects(ids: readonly string[]): void {
    this.controller.dropObjects(ids);
    this.features?.dropObjects(ids);
  }

  /** Sessions that have something on disk: after a restart some may have ended meanwhile. */
  async sessions(): Promise<readonly HeldSession[]> {
    return this.disk?.sessions() ?? [];
  }

  /** Checkpoints of a session, and of the images and beginnings it uses. */
  heldBy(tenant: string, session: string): HeldState[] {
    const names = this.owners.namesOf(tenant, session);
    return [...this.controller.ofSession(tenant, session, names)].flatMap(
      ({ segments, bytes, state, diskId }) => [
        ...(state ? [{ segments, bytes, tier: 'ram' as const }] : []),
        ...(diskId === undefined ? [] : [{ segments, bytes, tier: 'disk' as const }]),
      ],
    );
  }

  /** Writes what is left in memory, as long as the deadline allows, and closes the disk. */
  async close(deadline: AbortSignal): Promise<void> {
    await this.#scanning;
    clearTimeout(this.#retryTimer);
    this.#holdAgain();
    await this.controller.suspend(deadline);
    await this.disk?.close();
  }

  #use(tenant: string, name: string, session: string): void {
    if (this.owners.use(tenant, name, session)) this.#hold({ tenant, name, session });
  }

  #hold(use: Use): void {
    this.disk?.hold(use.tenant, use.name, use.session).catch((error) => {
      if (this.#unheld.length === 0) {
        this.#logger.warn({ reason: String(error) }, 'state: who uses an image could not be written');
        this.#retryTimer = setTimeout(() => this.#holdAgain(), holdRetryMs).unref();
      }
      this.#unheld.push(use);
    });
  }

  /** What nobody is known to use is never written: uses that a full disk refused are noted when it isn't full any more. */
  #holdAgain(): void {
    for (const use of this.#unheld.splice(0)) {
      if (this.owners.namesOf(use.tenant, use.session).has(use.name)) this.#hold(use);
    }
  }

  /** A beginning is named by its state key: who begins otherwise with the same picture has another one. */
  #nameOf(tenant: string, segments: readonly Segment[]): string {
    return `prompt:${this.tree.keysOf(tenant, segments).at(-1)?.key}`;
  }
}
