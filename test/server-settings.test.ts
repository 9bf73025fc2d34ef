import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingNames } from '../src/server/settings.ts';
import { flagOf } from '../src/server/spelling.ts';
import { settingsTable } from './helpers/serverSettings.ts';
import { servers } from './helpers/servers.ts';

const { newFolder, run } = servers();
const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');

test('the page lists every setting, with its default and meaning, and no other', () => {
  const [, listed] = /(\| setting \|[\s\S]*?\|)\n\n/.exec(page) ?? [];
  expect(listed).toBe(settingsTable());
});

test('every setting has a flag, but for what is for development shown in the help', async () => {
  const { code, stdout } = await run(['serve', '--help']);
  expect(code).toBe(0);
  for (const name of settingNames) {
    const isHidden = name === 'engine' || name === 'scriptedDelayMs';
    expect([name, stdout.includes(`${flagOf(name)} <`)]).toEqual([name, !isHidden]);
  }
});

test('what is printed is a configuration file that means the same', async () => {
  const folder = newFolder();
  const flags = ['--data-folder', folder, '--idle-ttl-ms', '60000', '--model-aliases', 'gpt-4o,gpt-5'];
  const env = { AFTERIMAGE_LOG: 'warn', AFTERIMAGE_TENANTS: '{"acme": {"requestsPerMinute": 5}}' };
  const { code, stdout, stderr } = await run(['serve', '--print-config', ...flags], env);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({
    idleTtlMs: 60_000,
    modelAliases: ['gpt-4o', 'gpt-5'],
    log: 'warn',
    tenants: { acme: { requestsPerMinute: 5 } },
  });
  const file = join(folder, 'config.json');
  writeFileSync(file, stdout);
  const again = await run(['serve', '--print-config', '--config', file]);
  expect(again.stdout).toBe(stdout);
});

test.each([
  [['--prot', '1'], {}, 2, "unknown option '--prot'\n(Did you mean --port?)"],
  [['--port', 'x'], {}, 2, '--port: must be a whole number from 0 to 65535, got "x". [invalid_parameter]'],
  [[], { AFTERIMAGE_PROT: '1' }, 2, 'did you mean AFTERIMAGE_PORT?'],
  [[], { AFTERIMAGE_FAILPOINT: 'committed:1' }, 2, 'AFTERIMAGE_FAILPOINT: is for the scripted engine only'],
  [
    ['--engine', 'scripted'],
    { AFTERIMAGE_FAILPOINT: 'lunch:1' },
    2,
    'must be <step>:<n> with a step of leased,',
  ],
  [['--host', 'nowhere.localhost.invalid', '--engine', 'scripted'], {}, 2, 'there is no API key yet'],
])('serve %j %j is refused', async (flags, env, exit, problem) => {
  const folder = newFolder();
  const { code, stdout, stderr } = await run(['serve', '--data-folder', folder, ...flags], env);
  expect(stderr).toContain(problem);
  expect([code, stdout]).toEqual([exit, '']);
});
