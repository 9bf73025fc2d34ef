import { createHash } from 'node:crypto';
import { failure } from '../core/errors.ts';
import type { Sampling } from '../core/request.ts';
import type { FunctionTool, OutputFormat, ToolChoice } from '../core/tools.ts';
import { parseConversationId, parseResponseId } from './ids.ts';
import type { InputItem } from './items.ts';
import { notFound } from './notFound.ts';
import type { Metadata } from './record.ts';

/** A turn as the gateway asks for it, its fields already checked for type and size. */
export interface TurnRequest {
  /** At least one item where there is nothing to build on. */
  readonly input: readonly InputItem[];
  /** Branches off after this response. Without it and a conversation the turn starts a session. */
  readonly previousResponseId?: string;
  readonly conversationId?: string;
  /** For this turn only. */
  readonly instructions?: string;
  readonly sampling?: Partial<Sampling>;
  readonly maxOutputTokens?: number;
  readonly stop?: readonly string[];
  /** For this turn only, like the next three. */
  readonly tools?: readonly FunctionTool[];
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  readonly format?: OutputFormat;
  /** `auto` leaves the oldest items out of the prompt when it would not fit. Default `disabled`: such a turn is refused. */
  readonly truncation?: 'auto' | 'disabled';
  /** Have the reply say how much it could reuse of this response's state, and why not more. */
  readonly comparisonResponseId?: string;
  readonly metadata?: Metadata;
  /** JSON that the response repeats. */
  readonly echo?: Readonly<Record<string, unknown>>;
  /** False: nothing of the turn is kept, and it can't be retrieved or built on. Default true. */
  readonly store?: boolean;
  /** Goes on without its reader. Default false. */
  readonly background?: boolean;
  /** Encode and prefill only: commits the input, gives no output. Default false. */
  readonly prewarm?: boolean;
  /** Shortens the session's life from now on. */
  readonly idleTtlMs?: number;
  readonly idempotencyKey?: string;
  /** How often the client has sent this request before. Above 0 a reply it may have missed is given again. */
  readonly retryCount?: number;
  /** W3C trace context, handed on to the engine. Not part of what is asked for. */
  readonly traceparent?: string;
}

/** What a turn builds on. */
export type TurnBase =
  | { readonly type: 'response'; readonly session: string; readonly serial: number; readonly id: string }
  | { readonly type: 'conversation'; readonly session: string; readonly id: string };

/** Undefined: the turn starts a session. @throws not_found for ids that can't be ours, invalid_parameter */
export function baseOf({ previousResponseId, conversationId }: TurnRequest): TurnBase | undefined {
  if (previousResponseId !== undefined && conversationId !== undefined) {
    throw invalid('previous_response_id', 'cannot be given together with a conversation');
  }
  if (previousResponseId !== undefined) {
    const parsed = parseResponseId(previousResponseId);
    if (!parsed) throw notFound('response', previousResponseId);
    return { type: 'response', ...parsed, id: previousResponseId };
  }
  if (conversationId === undefined) return undefined;
  const session = parseConversationId(conversationId);
  if (!session) throw notFound('conversation', conversationId);
  return { type: 'conversation', session, id: conversationId };
}

/** @throws invalid_parameter for combinations that mean nothing. */
export function checkTurnRequest(request: TurnRequest): void {
  const { input, store = true, background = false, prewarm = false, idempotencyKey } = request;
  if (input.length === 0 && !baseOf(request)) throw invalid('input', 'at least one item is needed, got 0');
  if (idempotencyKey === '') throw invalid('idempotency_key', 'must not be empty');
  if (store) return;
  if (background) throw invalid('background', 'needs store: true');
  if (prewarm) throw invalid('prewarm', 'needs store: true');
  if (idempotencyKey !== undefined) throw invalid('idempotency_key', 'needs store: true');
}

/** SHA-256 (base64url) over all that a request asks for, whatever the order of its fields; not over how often it was sent. */
export function turnDigest(request: TurnRequest): string {
  const { idempotencyKey: _key, retryCount: _count, traceparent: _trace, ...asked } = request;
  return digestOf(asked);
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function invalid(param: string, problem: string): Error {
  return failure('invalid_parameter', { param, problem });
}
