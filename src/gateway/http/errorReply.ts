import { basename, isAbsolute } from 'node:path';
import { HTTPException } from 'hono/http-exception';
import { AfterimageError, errorTable, failure } from '../../core/errors.ts';
import { TurnCancelled } from '../../session/liveTurn.ts';

/** OpenAI's error object, as it stands in bodies and events. */
export interface ErrorObject {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string;
}

export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: ErrorObject;
}

/** The reply for anything that was thrown. What isn't meant for users becomes `internal_error`, without its text. */
export function errorReply(thrown: unknown): ErrorReply {
  const { code, message, details } = userError(thrown);
  const { status, type, retry } = errorTable[code];
  const { param, retryAfterMs } = details;
  return {
    status,
    headers: {
      // Official clients retry 408, 409, 429 and 5xx by themselves unless they are told not to.
      ...(retry ? retryHeaders(status, Number(retryAfterMs ?? 0)) : { 'x-should-retry': 'false' }),
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      // The rest of the body would have to be read before the next request of this connection.
      ...(status === 413 && { connection: 'close' }),
    },
    error: { message, type, param: param === undefined ? null : String(param), code },
  };
}

/** The error a user may read: what was thrown, or the one that stands for it. */
export function userError(thrown: unknown): AfterimageError {
  if (thrown instanceof AfterimageError) return withoutPlaces(thrown);
  // By its owner, with its session: whoever else reads it is told that there will be no end.
  if (thrown instanceof TurnCancelled) return failure('turn_interrupted', {});
  // Hono's own refusals, of routes that are used without the checks that `bodies` makes before.
  if (thrown instanceof HTTPException && thrown.status === 400) {
    return failure('invalid_json', { problem: 'it could not be read' });
  }
  if (thrown instanceof HTTPException && thrown.status === 415) {
    return failure('media_type_unsupported', {
      actual: 'of another type',
      expected: 'the type it is documented with',
    });
  }
  return failure('internal_error', {});
}

/** Where this machine keeps its files, and what its system says of them, is for the log. */
function withoutPlaces(error: AfterimageError): AfterimageError {
  const { path, reason } = error.details;
  const isRequested = errorTable[error.code].status < 500;
  if (isRequested || typeof path !== 'string' || !isAbsolute(path)) return error;
  const told = { path: basename(path), ...(reason !== undefined && { reason: 'the log says why' }) };
  return new AfterimageError(error.code, { ...error.details, ...told }, { cause: error });
}

/** `retry-after` counts whole seconds; `retry-after-ms` is what OpenAI's own clients read first. */
function retryHeaders(status: number, askedMs: number): Record<string, string> {
  const waitMs = askedMs > 0 ? askedMs : status === 409 ? 250 : 1_000;
  return { 'retry-after-ms': String(Math.ceil(waitMs)), 'retry-after': String(Math.ceil(waitMs / 1_000)) };
}
