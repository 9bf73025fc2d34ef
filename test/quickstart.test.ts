import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServerRun, servers } from './helpers/servers.ts';

/** What docs/quickstart.md says is run as it stands there, but for the port, by the people's own tools. */

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(`${root}/docs/quickstart.md`, 'utf8');
/** A block of code that is followed by what it prints. */
const blocks = [...page.matchAll(/```(sh|js)\n((?:(?!```).)+)```\n\n```\n((?:(?!```).)+)```/gs)].map(
  ([, language = '', code = '', output = '']) => ({ language, code, output }),
);

const { newFolder, start } = servers({ endAfter: afterAll });
let server: ServerRun;
beforeAll(async () => {
  const flags = ['--engine', 'native', '--gpu', 'off', '--vision-weights', 'f16'];
  server = await start(newFolder(), { flags });
}, 60_000);

test('the page shows curl, openai and the AI SDK', () => {
  expect(blocks.map(({ language, code }) => [language, /curl|'openai'|'ai'/.exec(code)?.[0]])).toEqual([
    ['sh', 'curl'],
    ['js', "'openai'"],
    ['js', "'ai'"],
  ]);
});

test.each(blocks)('$language prints what the page says', async ({ language, code, output }) => {
  expect(code).toContain('http://127.0.0.1:8080');
  const here = code.replaceAll('http://127.0.0.1:8080', server.url);
  const [command, args] =
    language === 'sh'
      ? (['bash', ['-euo', 'pipefail', '-c', here]] as const)
      : ([process.execPath, ['--input-type=module', '-e', here]] as const);
  const { stdout } = await promisify(execFile)(command, args, { cwd: root });
  expect(stdout.trimEnd()).toBe(output.trimEnd());
});
