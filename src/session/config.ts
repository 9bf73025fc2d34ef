import { failure } from '../core/errors.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** What is kept of pictures once a turn about them has ended, besides their size, their digest and what was said. */
export const retentions = ['pixels', 'features', 'none'] as const;
export type Retention = (typeof retentions)[number];

export interface SessionConfig {
  /** Life of an idle session, and what a tenant's own setting replaces; at most `maxIdleTtlMs`. */
  readonly idleTtlMs: number;
  readonly idleTtlMsOf: (tenant: string) => number | undefined;
  /** A turn that takes longer is stopped. Its intent is dead after this time for every other node. */
  readonly maxTurnMs: number;
  /**
   * How long a turn in a conversation waits for another one before it is refused as `session_busy`. Having waited it runs on
   * what the other left.
   */
  readonly leaseWaitMs: number;
  /** The same for a turn on a response: branches of a tree know nothing of each other, so that their order doesn't matter. */
  readonly branchWaitMs: number;
  /** How long after its commit a turn counts as the one that an unkeyed, marked retry means. */
  readonly retryWindowMs: number;
  /** No other process writes to this store: an intent that is not ours is a dead process's. */
  readonly exclusiveStore: boolean;
  readonly sweepIntervalMs: number;
  /**
   * `pixels`: what was uploaded. `features`: that only until the engine keeps features beyond its life. `none`: neither that nor
   * vectors. Files that clients upload stay as long as they ask for.
   */
  readonly retention: Retention;
  /** Uploaded bytes that no session and no file holds go after this long. */
  readonly unheldMs: number;
  /** Life of an uploaded file that asks for none of its own; null keeps it until it is deleted. */
  readonly fileTtlMs: number | null;
  /** Memory for pictures at model size, so that a turn right after an upload needn't decode again. */
  readonly pixelCacheBytes: number;
  /** Memory for the events of finished background turns, oldest out first. */
  readonly eventLogBytes: number;
  readonly maxRecordBytes: number;
}

export const defaultSessionConfig: SessionConfig = {
  idleTtlMs: 30 * minuteMs,
  idleTtlMsOf: () => undefined,
  maxTurnMs: 10 * minuteMs,
  leaseWaitMs: 3_000,
  branchWaitMs: minuteMs,
  retryWindowMs: minuteMs,
  exclusiveStore: true,
  sweepIntervalMs: 2_000,
  retention: 'pixels',
  unheldMs: 10 * minuteMs,
  fileTtlMs: 24 * hourMs,
  pixelCacheBytes: 64 * 2 ** 20,
  eventLogBytes: 16 * 2 ** 20,
  maxRecordBytes: 8 * 2 ** 20,
};

export const maxIdleTtlMs = 24 * hourMs;
/** How long the owner of an expired session is told so. */
export const tombstoneMs = 24 * hourMs;
/** How long an idempotency key is remembered, if its session lives that long. */
export const idempotencyKeyMs = 24 * hourMs;

/**
 * Life of an idle session for a tenant; a request may only shorten it. @throws invalid_parameter
 */
export function idleTtlFor(config: SessionConfig, tenant: string, askedMs: number | undefined): number {
  const limitMs = Math.min(config.idleTtlMsOf(tenant) ?? config.idleTtlMs, maxIdleTtlMs);
  if (askedMs === undefined) return limitMs;
  if (Number.isInteger(askedMs) && askedMs >= 1 && askedMs <= limitMs) return askedMs;
  throw failure('invalid_parameter', {
    param: 'idle_ttl_ms',
    problem: `must be a whole number from 1 to ${limitMs}, got ${askedMs}`,
  });
}
