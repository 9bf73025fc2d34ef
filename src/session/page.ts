import { failure } from '../core/errors.ts';
import { notFound } from './notFound.ts';

export interface PageOptions {
  /** The last id of the page before. */
  readonly after?: string;
  /** 1 to 100, default 20. */
  readonly limit?: number;
  /** Default `desc`: newest first. */
  readonly order?: 'asc' | 'desc';
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
}

/** @throws invalid_parameter */
export function checkPageLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return;
  throw failure('invalid_parameter', {
    param: 'limit',
    problem: `must be a whole number from 1 to 100, got ${limit}`,
  });
}

/** One page of a list given oldest first. @throws invalid_parameter, not_found when `after` isn't in the list. */
export function pageOf<T extends { readonly id: string }>(
  oldestFirst: readonly T[],
  { after, limit = 20, order = 'desc' }: PageOptions,
): Page<T> {
  checkPageLimit(limit);
  const ordered = order === 'asc' ? oldestFirst : oldestFirst.toReversed();
  const start = after === undefined ? 0 : ordered.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw notFound('item', after);
  const data = ordered.slice(start, start + limit);
  return { data, hasMore: start + data.length < ordered.length };
}
