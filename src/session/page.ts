import { failure } from '../core/errors.ts';
import { notFound } from './notFound.ts';

export interface PageOptions {
  /** The last id of the page before. */
  readonly after?: string;
  /** 1 to 100, default 20, unless the list has limits of its own. */
  readonly limit?: number;
  /** Default `desc`: newest first. */
  readonly order?: 'asc' | 'desc';
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
}

export interface PageLimits {
  /** What is listed. */
  readonly object: 'item' | 'file';
  readonly most: number;
  readonly usual: number;
}

const pageLimits: PageLimits = { object: 'item', most: 100, usual: 20 };

/** @throws invalid_parameter */
export function checkPageLimit(limit: number, { most } = pageLimits): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return;
  throw failure('invalid_parameter', {
    param: 'limit',
    problem: `must be a whole number from 1 to ${most}, got ${limit}`,
  });
}

/** One page of a list given oldest first. @throws invalid_parameter, not_found when `after` isn't in the list. */
export function pageOf<T extends { readonly id: string }>(
  oldestFirst: readonly T[],
  { after, order = 'desc', ...options }: PageOptions,
  limits = pageLimits,
): Page<T> {
  const { limit = limits.usual } = options;
  checkPageLimit(limit, limits);
  const ordered = order === 'asc' ? oldestFirst : oldestFirst.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw notFound(limits.object, after, 'after');
  const data = ordered.slice(start, start + limit);
  return { data, hasMore: start + data.length < ordered.length };
}
