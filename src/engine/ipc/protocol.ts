import type {
  EngineInfo,
  EngineStats,
  GenerateResult,
  HeldSession,
  ImageName,
  PrewarmResult,
  PromptCount,
  StateNode,
} from '../../core/request.ts';
import type { ToolCall } from '../../core/tools.ts';
import type { LogLevel } from './logger.ts';
import type { WireError } from './wireError.ts';
import type { WireRequest } from './wireRequest.ts';

/**
 * Messages between the engine process and its parent, over the channel of `child_process.fork` with
 * `serialization: 'advanced'` (typed arrays travel as bytes).
 *
 * `start` comes first and is answered by `ready` or `failed`; nothing else is sent before `ready`. `generate`, `prewarm`,
 * `countTokens`, `forget`, `heldSessions`, `keepsFeatures`, `stateTree` and `stats` open a call under an id that is never used again
 * in this process; the engine closes it with exactly one of `done`, `prewarmed`, `finished`, `count`, `sessions`, `kept`, `nodes`,
 * `stats`, `aborted` or `error`. `abort` for a closed call means nothing.
 */
export type ToEngine =
  | { readonly type: 'start'; readonly config: unknown }
  | EngineCall
  | { readonly type: 'abort'; readonly id: number }
  | ({ readonly type: 'pixels'; readonly id: number; readonly imageKey: string } & (
      | { readonly rgb: Uint8Array }
      | { readonly error: WireError }
    ))
  | { readonly type: 'shutdown' };

export type EngineCall =
  | { readonly type: 'generate'; readonly id: number; readonly request: WireRequest }
  | { readonly type: 'prewarm'; readonly id: number; readonly request: WireRequest }
  | { readonly type: 'countTokens'; readonly id: number; readonly request: WireRequest }
  | {
      readonly type: 'forget';
      readonly id: number;
      readonly tenant: string;
      readonly session?: string | undefined;
    }
  | { readonly type: 'heldSessions'; readonly id: number }
  | {
      readonly type: 'keepsFeatures';
      readonly id: number;
      readonly tenant: string;
      readonly image: ImageName;
    }
  | { readonly type: 'stateTree'; readonly id: number; readonly tenant: string; readonly session: string }
  | { readonly type: 'stats'; readonly id: number };

export type FromEngine =
  | { readonly type: 'ready'; readonly info: EngineInfo }
  | { readonly type: 'failed'; readonly error: WireError }
  | EngineReply
  /** Asked when the engine does not hold the features of an image; answered by `pixels`, or by `abort` of the call. */
  | { readonly type: 'pixelsNeeded'; readonly id: number; readonly imageKey: string }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string };

export type EngineReply =
  | { readonly type: 'delta'; readonly id: number; readonly text: string }
  | { readonly type: 'toolCall'; readonly id: number; readonly call: ToolCall }
  | { readonly type: 'done'; readonly id: number; readonly result: GenerateResult }
  | { readonly type: 'count'; readonly id: number; readonly count: PromptCount }
  | { readonly type: 'prewarmed'; readonly id: number; readonly result: PrewarmResult }
  | { readonly type: 'finished'; readonly id: number }
  | { readonly type: 'sessions'; readonly id: number; readonly sessions: readonly HeldSession[] }
  | { readonly type: 'kept'; readonly id: number; readonly kept: boolean }
  | { readonly type: 'nodes'; readonly id: number; readonly nodes: readonly StateNode[] }
  | { readonly type: 'stats'; readonly id: number; readonly stats: EngineStats }
  | { readonly type: 'aborted'; readonly id: number }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError };
