import { createHash } from 'node:crypto';
import type { ImageVector } from '../core/imageVector.ts';
import type { GenerateRequest } from '../core/request.ts';
import type { ToolCall } from '../core/tools.ts';
import type { WireError } from '../engine/ipc/wireError.ts';
import { canonicalMessage } from './requestDigest.ts';

/** What the scripted engine does for one request. Plain data, so that it can also be sent to another process. */
export interface ScriptedAnswer {
  /** One piece is one token. Default: `echoPieces`. */
  readonly pieces?: readonly string[];
  /** After the pieces; each call is one more token. With calls alone there are no pieces. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of the pictures of the prompt. */
  readonly imageVectors?: readonly ImageVector[];
  /** Before every piece. */
  readonly delayMs?: number;
  /** Waits before this piece (from 0) until the request is aborted. */
  readonly stallAt?: number;
  /** The engine dies before this piece. */
  readonly crashAt?: number;
  readonly error?: WireError;
  /** The piece before which `error` is thrown. Default 0: before the first event. */
  readonly errorAt?: number;
}

/** An answer per request, or a list used in order; the default answer when there is none. */
export type Script =
  | readonly ScriptedAnswer[]
  | ((request: GenerateRequest, index: number) => ScriptedAnswer | undefined);

export function scriptedAnswer(script: Script, request: GenerateRequest, index: number): ScriptedAnswer {
  return (typeof script === 'function' ? script(request, index) : script[index]) ?? {};
}

/** An answer that differs whenever any message, picture, call or committed token of the conversation does. */
export function echoPieces({ messages }: GenerateRequest): string[] {
  const digest = createHash('sha256')
    .update(JSON.stringify(messages.map(canonicalMessage)))
    .digest('hex');
  return ['echo', ...(digest.slice(0, 32).match(/.{4}/g) ?? []).map((group) => ` ${group}`)];
}

/** The pieces of an answer before a stop string or the token limit cuts them. */
export function scriptedPieces(
  { pieces, toolCalls }: ScriptedAnswer,
  request: GenerateRequest,
): readonly string[] {
  return pieces ?? (toolCalls ? [] : echoPieces(request));
}

/** The pieces before the first stop string that appears in them, the last one cut short where it begins inside. */
export function cutAtStop(pieces: readonly string[], stop: readonly string[]): string[] {
  const text = pieces.join('');
  const starts = stop.map((string) => text.indexOf(string)).filter((start) => start >= 0);
  let left = Math.min(text.length, ...starts);
  const kept: string[] = [];
  for (const piece of pieces) {
    if (left === 0) break;
    kept.push(piece.slice(0, left));
    left -= kept.at(-1)?.length ?? 0;
  }
  return kept;
}
