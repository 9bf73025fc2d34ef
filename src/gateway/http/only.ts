import { failure } from '../../core/errors.ts';

const maxShownLength = 80;

/**
 * For a field of which only some values ask for what this server does. Null and undefined are always allowed.
 * @throws unsupported_parameter, saying which values are and why others aren't
 */
export function only(param: string, value: unknown, allowed: readonly unknown[], why: string): void {
  if (value === undefined || value === null || allowed.includes(value)) return;
  const limit =
    allowed.length > 0 ? `, only ${allowed.map((one) => JSON.stringify(one)).join(' or ')} is` : '';
  const problem = `got ${JSON.stringify(value).slice(0, maxShownLength)}${limit} (${why})`;
  throw failure('unsupported_parameter', { param, problem });
}
