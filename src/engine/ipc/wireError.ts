import { AfterimageError, type ErrorCode } from '../../core/errors.ts';

/** An error a user is meant to read, as it crosses the process border; its message is made again from the table. */
export interface WireError {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number>>;
}

export function toWireError({ code, details }: AfterimageError): WireError {
  return { code, details };
}

export function fromWireError(error: WireError): AfterimageError {
  return new AfterimageError(error.code, error.details);
}
