import { AfterimageError, type ErrorCode, errorTable } from '../core/errors.ts';
import { ReplyError } from './apiClient.ts';
import { inFlags } from './flagNames.ts';
import { terminalLine } from './terminalText.ts';

/** Documented in `docs/errors.md`; errors of the table bring their own. */
export const exitCodes = { ok: 0, unexpected: 1, usage: 2, interrupted: 130 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof AfterimageError) return errorTable[error.code].exit;
  if (error instanceof ReplyError && Object.hasOwn(errorTable, error.code)) {
    return errorTable[error.code as ErrorCode].exit;
  }
  if (isAbort(error)) return exitCodes.interrupted;
  return exitCodes.unexpected;
}

/** A person reads a sentence; of a bug they get the whole trace, to send it to us. */
export function describeError(error: unknown): string {
  if (error instanceof AfterimageError || error instanceof ReplyError) {
    const { message } = error instanceof AfterimageError ? inFlags(error) : error;
    return `afterimage: ${terminalLine(message)} [${error.code}]`;
  }
  return `afterimage: unexpected error\n${error instanceof Error ? error.stack : String(error)}`;
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
