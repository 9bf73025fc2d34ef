import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorTable } from '../src/core/errors.ts';

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

/** Rows of the page: | `code` | status | exit | retry | message | */
const documented = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (\d+) \| (yes|no) \| (.+) \|$/gm)].map(
  ([, code, status, exit, retry, message]) => [
    code,
    { status: Number(status), exit: Number(exit), retry: retry === 'yes', message },
  ],
);

test('the errors page says of every error what the table says, and of no other', () => {
  const table = Object.entries(errorTable).map(([code, { status, exit, retry, message }]) => [
    code,
    { status, exit, retry, message },
  ]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(table));
});
