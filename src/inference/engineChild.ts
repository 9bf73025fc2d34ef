import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { failure } from '../core/errors.ts';
import type { EngineInfo, GenerateRequest } from '../core/request.ts';
import type { Logger } from '../engine/ipc/logger.ts';
import type { EngineCall, FromEngine, ToEngine } from '../engine/ipc/protocol.ts';
import { fromWireError } from '../engine/ipc/wireError.ts';
import { PendingCall } from './pendingCall.ts';

export interface EngineChildOptions {
  /** Module that calls `serveOverIpc`. */
  readonly entry: URL;
  /** Handed to the child in its `start` message; must survive a structured clone. */
  readonly config: object;
  readonly logger: Logger;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface EngineChildEvents {
  ready(info: EngineInfo): void;
  /** The child said that it can't start; it does not end by itself. */
  failed(error: Error): void;
  /** Comes once, after every open call has failed; `open` are those calls. */
  exited(reason: string, open: readonly PendingCall[]): void;
}

type NewCall = EngineCall extends infer Call ? (Call extends EngineCall ? Omit<Call, 'id'> : never) : never;

/** One engine process from fork to exit, and the calls open in it. */
export class EngineChild {
  readonly #process: ChildProcess;
  readonly #logger: Logger;
  readonly #events: EngineChildEvents;
  readonly #calls = new Map<number, PendingCall>();
  readonly #exit = Promise.withResolvers<void>();
  #exitReason: string | undefined;
  #lastId = 0;

  constructor({ entry, config, logger, env }: EngineChildOptions, events: EngineChildEvents) {
    this.#logger = logger;
    this.#events = events;
    const child = fork(entry, {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...env },
      execArgv: [],
    });
    this.#process = child;
    this.#logLines(child.stdout, 'stdout');
    this.#logLines(child.stderr, 'stderr');
    child.on('message', (message) => this.#receive(message as FromEngine));
    child.on('exit', (code, signal) => this.#exited(signal ? `signal ${signal}` : `exit code ${code}`));
    child.on('error', (error) => {
      if (child.pid === undefined) this.#exited(`could not be started: ${error.message}`);
      else logger.error({ pid: child.pid, reason: error.message }, 'engine process: error');
    });
    // Without its channel a child is of no use; usually it is already dead.
    child.on('disconnect', () => child.kill('SIGKILL'));
    this.#send({ type: 'start', config });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** @throws AfterimageError `engine_unavailable` when the process has ended. */
  call(message: NewCall, request?: GenerateRequest): PendingCall {
    if (this.#exitReason !== undefined) throw failure('engine_unavailable', { reason: this.#exitReason });
    const id = ++this.#lastId;
    const call = new PendingCall(id, request, (answer) => this.#send(answer));
    this.#calls.set(id, call);
    this.#send({ ...message, id });
    return call;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Fails open calls, asks the child to end, kills it after `graceMs`; resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    const unavailable = failure('engine_unavailable', { reason: 'it is being shut down' });
    for (const call of this.#calls.values()) call.fail(unavailable);
    this.#send({ type: 'shutdown' });
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.#exit.promise;
    clearTimeout(timer);
  }

  #send(message: ToEngine): void {
    // Without a process there is no channel. A channel that can't send any more belongs to a process that is ending;
    // its exit settles every call.
    if (this.pid === undefined) return;
    this.#process.send(message, (error) => {
      if (error)
        this.#logger.debug({ pid: this.pid, type: message.type, reason: error.message }, 'engine: not sent');
    });
  }

  #receive(message: FromEngine): void {
    if (this.#exitReason !== undefined) return;
    switch (message.type) {
      case 'ready':
        this.#events.ready(message.info);
        break;
      case 'failed':
        this.#events.failed(fromWireError(message.error));
        break;
      case 'log':
        this.#logger[message.level]({ ...message.fields, pid: this.pid }, message.message);
        break;
      case 'pixelsNeeded':
        void this.#calls.get(message.id)?.sendPixels(message.imageKey, this.#logger);
        break;
      case 'delta':
      case 'toolCall':
        this.#calls.get(message.id)?.replies.push(message);
        break;
      default:
        this.#calls.get(message.id)?.close(message);
        this.#calls.delete(message.id);
    }
  }

  #exited(reason: string): void {
    if (this.#exitReason !== undefined) return;
    this.#exitReason = reason;
    const open = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of open) call.fail(failure('engine_unavailable', { reason }));
    this.#events.exited(reason, open);
    this.#exit.resolve();
  }

  #logLines(stream: Readable | null, name: 'stdout' | 'stderr'): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      this.#logger.warn({ pid: this.pid, stream: name }, `engine: ${line}`);
    });
  }
}
