import { type ErrorCode, errorTable } from '../../core/errors.ts';
import type { ResponseView } from '../../session/view.ts';

/**
 * `error` of a response that failed. Its `code` is one of the few that OpenAI's type has: what was wrong with the request, or
 * what was wrong here. Ours, of the page of errors, is beside it.
 */
export function responseError(error: ResponseView['error']): object | null {
  if (!error) return null;
  // A record can be older than this version's table.
  const row = Object.hasOwn(errorTable, error.code) ? errorTable[error.code as ErrorCode] : undefined;
  const code = row && row.status < 500 ? 'invalid_prompt' : 'server_error';
  return { code, message: error.message, afterimage_code: error.code };
}
