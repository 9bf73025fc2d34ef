import type { z } from '@hono/zod-openapi';
import { type AfterimageError, failure } from '../../core/errors.ts';
import { isMissing, listed } from './wording.ts';

type Issue = z.core.$ZodIssue;
interface Found {
  readonly path: readonly PropertyKey[];
  readonly issue: Issue;
}

/** The fields that say which kind of object is meant. */
const kindFields: ReadonlySet<PropertyKey> = new Set(['type', 'role', 'object']);
const maxNameLength = 120;

/** The error for the first thing that is wrong with a body or query. */
export function refusalOf(error: { readonly issues: readonly Issue[] }): AfterimageError {
  const { path, issue } = firstOf(error.issues, []);
  if (issue.code === 'unrecognized_keys') {
    return failure('unknown_parameter', { param: nameOf([...path, issue.keys[0] as string]) });
  }
  const param = nameOf(path) || 'body';
  // A schema says so with `params: { unsupported: true }` of what the API has and this server can't do.
  if (issue.code === 'custom' && issue.params?.unsupported) {
    return failure('unsupported_parameter', { param, problem: issue.message });
  }
  if (issue.message === isMissing) return failure('missing_parameter', { param });
  // A record refuses a key in words of its own; what is wrong with it lies one deeper.
  const problem = (issue.code === 'invalid_key' && issue.issues[0]?.message) || issue.message;
  return failure('invalid_parameter', { param, problem });
}

function firstOf(issues: readonly Issue[], base: readonly PropertyKey[]): Found {
  const issue = issues[0] as Issue;
  const path = [...base, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { path, issue };
  const branches = issue.errors.map((branch) => firstOf(branch, path));
  const best = Math.max(...branches.map((branch) => likeness(branch, path.length)));
  const meant = branches.filter((branch) => likeness(branch, path.length) === best);
  return together(meant, path.length);
}

/** How far a value got into a branch of a union: the furthest is the one that was meant. */
function likeness({ path, issue }: Found, depth: number): number {
  if (path.length === depth) return issue.code === 'invalid_type' || issue.code === 'invalid_value' ? 0 : 2;
  const isOtherKind = path.length === depth + 1 && kindFields.has(path[depth] as PropertyKey);
  return isOtherKind ? 1 : 2 + path.length - depth;
}

/** Branches that refuse the same field for what it is say so together: each alone would name only its own choice. */
function together(branches: readonly Found[], depth: number): Found {
  const first = branches[0] as Found;
  const same = branches.filter(({ path }) => nameOf(path) === nameOf(first.path));
  const parts = same.map(({ issue }) => /^must be (.+), got (.+)$/s.exec(issue.message));
  if (first.path.length > depth + 1 || same.length < 2 || parts.includes(null)) return first;
  const choices = parts.map((part) => part?.[1] as string);
  const message = `must be ${listed(choices)}, got ${parts[0]?.[2]}`;
  return { path: first.path, issue: { ...first.issue, message } };
}

/** `input[0].content[1].text`, as OpenAI writes it. */
function nameOf(path: readonly PropertyKey[]): string {
  const name = path.reduce<string>((start, key) => {
    if (typeof key === 'number') return `${start}[${key}]`;
    return start === '' ? String(key) : `${start}.${String(key)}`;
  }, '');
  return name.length > maxNameLength ? `${name.slice(0, maxNameLength)}...` : name;
}
