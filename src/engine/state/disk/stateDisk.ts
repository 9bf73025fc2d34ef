import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type AfterimageError, failure } from '../../../core/errors.ts';
import type { Logger } from '../../ipc/logger.ts';
import { fromWireError } from '../../ipc/wireError.ts';
import type { DiskObject, OwnedDisk } from '../diskTier.ts';
import type { FolderReplies, FolderStats, FromFolder, ToFolder } from './protocol.ts';
import type { NewObject, StateFolderOptions } from './stateFolder.ts';

export interface StateDiskOptions extends StateFolderOptions {
  readonly logger: Logger;
  /** Objects had to go so that others have room. */
  readonly onEvicted?: (ids: readonly string[]) => void;
}

interface Call {
  readonly message: ToFolder;
  /** `ms`: what it took, without waiting for its turn. */
  readonly resolve: (value: never, ms: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Objects looked at in one go while the folder is scanned: whoever waits for a read waits for these at most. */
const scanBatch = 32;
/** How often it is looked whether others leave too little space on the volume. */
const yieldIntervalMs = 5_000;

/**
 * The disk tier: a thread of its own does the work, so that neither the event loop nor the native worker thread waits for files,
 * ciphers or the key table. Calls are done one after the other in the order they came, but reads first: somebody waits for
 * them.
 */
export class StateDisk implements OwnedDisk {
  stats: FolderStats = {
    bytes: 0,
    refused: { damaged: 0, replaced: 0, outdated: 0, locked: 0, missing: 0 },
  };
  #salt: Uint8Array = new Uint8Array();
  readonly maxBytes: number;
  readonly #worker: Worker;
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #onEvicted: (ids: readonly string[]) => void;
  readonly #reads: Call[] = [];
  readonly #others: Call[] = [];
  #current: Call | undefined;
  #sentAt = 0;
  #ended: AfterimageError | undefined;
  #yieldTimer: NodeJS.Timeout | undefined;
  /** Said once, as long as it lasts. */
  #yieldProblem = '';

  private constructor({ folder, maxBytes, logger, onEvicted = () => {} }: StateDiskOptions) {
    this.maxBytes = maxBytes;
    this.#folder = folder;
    this.#logger = logger;
    this.#onEvicted = onEvicted;
    this.#worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (reply: FromFolder) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#end(`its thread failed: ${error.message}`));
    this.#worker.on('exit', () => this.#end('its thread has ended'));
  }

  /** Doesn't look at the objects yet: see `scan`. @throws AfterimageError storage_* */
  static async open(options: StateDiskOptions): Promise<StateDisk> {
    const disk = new StateDisk(options);
    const { folder, masterKey, fingerprint, maxBytes, reserveBytes } = options;
    try {
      const folderOptions = { folder, masterKey, fingerprint, maxBytes, reserveBytes };
      disk.#salt = await disk.#call({ type: 'open', options: folderOptions });
      disk.#yieldTimer = setInterval(() => void disk.yieldSpace(), yieldIntervalMs);
      disk.#yieldTimer.unref();
    } catch (error) {
      await disk.#worker.terminate();
      throw error;
    }
    return disk;
  }

  get salt(): Uint8Array {
    return this.#salt;
  }

  async scan(onFound: (object: DiskObject) => void): Promise<void> {
    for (;;) {
      const { objects, done } = await this.#call({ type: 'scan', limit: scanBatch });
      for (const object of objects) onFound(object);
      if (done) return;
    }
  }

  async write(
    object: NewObject,
    body: Uint8Array,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<DiskObject> {
    return this.#call({ type: 'write', object, body }, signal);
  }

  async read(id: string): Promise<{ body: Uint8Array; ms: number } | undefined> {
    let readMs = 0;
    const body = await this.#call({ type: 'read', id }, undefined, (ms) => {
      readMs = ms;
    });
    return body && { body, ms: readMs };
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#call({ type: 'remove', ids });
  }

  hold(tenant: string, image: string, session: string): Promise<void> {
    return this.#call({ type: 'hold', tenant, image, session });
  }

  forget(tenant: string, session?: string): Promise<readonly string[]> {
    return this.#call({ type: 'forget', tenant, session });
  }

  sessions(): Promise<readonly { tenant: string; session: string }[]> {
    return this.#call({ type: 'sessions' });
  }

  /** Gives up objects if too little space is free. Runs by itself every few seconds. Never rejects. */
  async yieldSpace(): Promise<void> {
    try {
      await this.#call({ type: 'yieldSpace' });
      this.#yieldProblem = '';
    } catch (error) {
      const isNews = error !== this.#ended && String(error) !== this.#yieldProblem;
      this.#yieldProblem = String(error);
      if (isNews) this.#logger.warn({ reason: String(error) }, 'state: no space could be made');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#yieldTimer);
    if (this.#ended) return;
    await this.#call({ type: 'close' });
    this.#ended = failure('storage_unavailable', { path: this.#folder, reason: 'it was closed' });
    await this.#worker.terminate();
  }

  #call<Message extends ToFolder>(
    message: Message,
    signal?: AbortSignal,
    onDone: (ms: number) => void = () => {},
  ): Promise<FolderReplies[Message['type']]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      if (signal?.aborted) return reject(signal.reason);
      const line = message.type === 'read' ? this.#reads : this.#others;
      const done = (value: FolderReplies[Message['type']], ms: number): void => {
        onDone(ms);
        resolve(value);
      };
      const call: Call = { message, resolve: done as Call['resolve'], reject };
      line.push(call);
      signal?.addEventListener('abort', () => {
        const index = line.indexOf(call);
        if (index < 0) return;
        line.splice(index, 1);
        reject(signal.reason);
      });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current) return;
    this.#current = this.#reads.shift() ?? this.#others.shift();
    // A body is copied on its way: its owner may go on using it.
    this.#sentAt = performance.now();
    if (this.#current) this.#worker.postMessage(this.#current.message);
  }

  #receive(reply: FromFolder): void {
    const call = this.#current;
    this.#current = undefined;
    const ms = performance.now() - this.#sentAt;
    if (reply.stats) this.stats = reply.stats;
    if (reply.evicted.length > 0) this.#gone(call, reply.evicted);
    if ('error' in reply) call?.reject(fromWireError(reply.error));
    else call?.resolve(reply.value as never, ms);
    this.#next();
  }

  #gone(call: Call | undefined, evicted: readonly string[]): void {
    if (call?.message.type === 'yieldSpace') {
      this.#logger.warn({ objects: evicted.length }, 'state: given up, the disk is nearly full');
    }
    this.#onEvicted(evicted);
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = failure('storage_unavailable', { path: this.#folder, reason });
    clearInterval(this.#yieldTimer);
    this.#logger.error({ reason }, 'state: the disk tier is gone until the engine starts again');
    for (const call of [...(this.#current ? [this.#current] : []), ...this.#reads, ...this.#others]) {
      call.reject(this.#ended);
    }
    this.#current = undefined;
    this.#reads.length = 0;
    this.#others.length = 0;
  }
}
