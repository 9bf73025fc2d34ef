import { AfterimageError, failure } from '../../core/errors.ts';
import type { InferencePort } from '../../core/inference.ts';
import type { Logger, LogLevel } from './logger.ts';
import { OpenCall } from './openCall.ts';
import type { EngineCall, FromEngine, ToEngine } from './protocol.ts';
import { toWireError } from './wireError.ts';
import { fromWireRequest } from './wireRequest.ts';

/** The child's end of a fork channel; `process` is one. */
export interface ParentChannel {
  readonly connected: boolean;
  send?(message: FromEngine): unknown;
  on(event: 'message', listener: (message: ToEngine) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

export type OpenPort = (config: unknown, logger: Logger) => InferencePort | Promise<InferencePort>;

/**
 * Serves an inference port to the parent process for as long as the parent lives. `open` gets the config of the `start`
 * message; what it (or the port's `ready`) throws is reported as `failed`, and the process then waits to be ended.
 * Never returns control of the process: it ends on `shutdown`, and at once when the parent is gone.
 */
export function serveOverIpc(open: OpenPort, channel: ParentChannel = process): void {
  const calls = new Map<number, OpenCall>();
  let port: InferencePort | undefined;

  const send = (message: FromEngine) => channel.send?.(message);
  const log = (level: LogLevel) => (fields: object, message: string) =>
    send({ type: 'log', level, fields, message });
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };

  /** What is not meant for users may name paths or content: it goes to the log, and an error with `code` travels. */
  function userError(error: unknown, code: 'engine_failed' | 'engine_start_failed'): AfterimageError {
    if (error instanceof AfterimageError) return error;
    logger.error({ stack: error instanceof Error ? error.stack : String(error) }, 'engine: unexpected error');
    return failure(code, { reason: 'an unexpected error, its details are in the log' });
  }

  async function start(config: unknown): Promise<void> {
    try {
      const opened = await open(config, logger);
      const info = await opened.ready();
      port = opened;
      send({ type: 'ready', info });
    } catch (error) {
      send({ type: 'failed', error: toWireError(userError(error, 'engine_start_failed')) });
    }
  }

  async function serve(message: EngineCall): Promise<void> {
    const { id } = message;
    const call = new OpenCall((imageKey) => send({ type: 'pixelsNeeded', id, imageKey }));
    calls.set(id, call);
    try {
      if (!port) throw new Error(`${message.type} before ready`);
      const reply = await answer(port, message, call, send);
      send(reply);
    } catch (error) {
      if (call.signal.aborted) send({ type: 'aborted', id });
      else send({ type: 'error', id, error: toWireError(userError(error, 'engine_failed')) });
    } finally {
      calls.delete(id);
    }
  }

  async function shutDown(): Promise<void> {
    // A model that is still loading can't be stopped politely; the parent has nothing to lose here.
    if (!port) endAtOnce();
    await port?.dispose();
    process.exit(0);
  }

  channel.on('disconnect', endAtOnce);
  channel.on('message', (message) => {
    switch (message.type) {
      case 'start':
        return void start(message.config);
      case 'abort':
        return calls.get(message.id)?.abort();
      case 'pixels':
        return calls.get(message.id)?.receivePixels(message);
      case 'shutdown':
        return void shutDown();
      default:
        return void serve(message);
    }
  });
  // The parent may have gone while this process was still loading its modules: no event comes then.
  if (!channel.connected) endAtOnce();
  // A terminal or a service manager signals the whole group; when this process ends is for the parent to decide.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
}

async function answer(
  port: InferencePort,
  message: EngineCall,
  call: OpenCall,
  send: (message: FromEngine) => void,
): Promise<FromEngine> {
  const { id } = message;
  const { signal, fetchPixels } = call;
  switch (message.type) {
    case 'generate': {
      let done: FromEngine | undefined;
      for await (const event of port.generate(fromWireRequest(message.request, fetchPixels), { signal })) {
        if (event.type === 'delta') send({ type: 'delta', id, text: event.text });
        else if (event.type === 'toolCall') send({ type: 'toolCall', id, call: event.call });
        else done = { type: 'done', id, result: event.result };
      }
      if (!done) throw failure('engine_failed', { reason: 'an answer ended without a result' });
      // Sent after the loop: the slot is free again before the other side learns of the end.
      return done;
    }
    case 'prewarm':
      return {
        type: 'prewarmed',
        id,
        result: await port.prewarm(fromWireRequest(message.request, fetchPixels), { signal }),
      };
    case 'countTokens':
      return {
        type: 'count',
        id,
        count: await port.countTokens(fromWireRequest(message.request, fetchPixels)),
      };
    case 'forget':
      await port.forget(message.tenant, message.session);
      return { type: 'finished', id };
    case 'heldSessions':
      return { type: 'sessions', id, sessions: await port.heldSessions() };
    case 'keepsFeatures':
      return { type: 'kept', id, kept: await port.keepsFeatures(message.tenant, message.image) };
    case 'stateTree':
      return { type: 'nodes', id, nodes: await port.stateTree(message.tenant, message.session) };
    case 'stats':
      return { type: 'stats', id, stats: await port.stats() };
  }
}

/** SIGKILL, because a normal exit waits for native calls that run on other threads. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}
