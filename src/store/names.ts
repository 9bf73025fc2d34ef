import { failure } from '../core/errors.ts';

/**
 * Adapters compare, order and hash names as UTF-8. A lone surrogate has none: it would be written as U+FFFD, and names that
 * differ would become one.
 * @throws AfterimageError invalid_parameter
 */
export function checkNames(names: object): void {
  for (const [param, name] of Object.entries(names) as [string, string | undefined][]) {
    if (name !== undefined && !name.isWellFormed()) {
      throw failure('invalid_parameter', { param, problem: 'must be well-formed Unicode' });
    }
  }
}
