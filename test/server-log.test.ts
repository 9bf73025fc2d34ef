import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { servers } from './helpers/servers.ts';

const { newFolder } = servers();
const entry = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

test.skipIf(process.platform !== 'linux')(
  'a server whose log can not be written goes on answering, and ends as it should',
  async () => {
    const full = openSync('/dev/full', 'w');
    const args = ['serve', '--engine', 'scripted', '--port', '0', '--data-folder', newFolder()];
    const server = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', full] });
    closeSync(full);
    const exit = new Promise<number | null>((resolve) => server.on('exit', resolve));
    let stdout = '';
    server.stdout?.on('data', (data) => {
      stdout += data;
    });
    await expect.poll(() => stdout, { timeout: 20_000 }).toMatch(/http:\S+/);
    const [url = ''] = /http:[^\s,]+/.exec(stdout) ?? [];
    for (let n = 0; n < 3; n++) expect((await fetch(`${url}/v1/models`)).status).toBe(200);
    server.kill('SIGTERM');
    expect(await exit).toBe(0);
  },
);
