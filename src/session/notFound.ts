import { type AfterimageError, failure } from '../core/errors.ts';

const maxEchoedLength = 80;

/**
 * The one answer for what never was, what was deleted and what belongs to somebody else: nothing in it tells them apart.
 * The id is repeated as it was given, cut when it is longer than any of ours.
 */
export function notFound(
  object: 'response' | 'conversation' | 'item' | 'file' | 'picture' | 'session',
  id: string,
  /** The field that named it; left out when it was the path. */
  param?: string,
): AfterimageError {
  const details = { object, id: id.slice(0, maxEchoedLength), ...(param !== undefined && { param }) };
  return failure('not_found', details);
}
