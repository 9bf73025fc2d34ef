import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { servers } from './helpers/servers.ts';

const { newFolder, run, start } = servers();
const model = 'scripted';
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** Makes a key on the command line, as an operator would. */
async function addKey(folder: string, ...flags: string[]): Promise<{ id: string; key: string }> {
  const { code, stdout, stderr } = await run(['keys', 'add', '--data-folder', folder, ...flags]);
  expect([code, stderr.replace(/^key_\w+ for tenant [\w-]+\. /, '')]).toEqual([
    0,
    'The key is not shown again.\n',
  ]);
  return { key: stdout.trim(), id: /^key_\w+/.exec(stderr)?.[0] ?? '' };
}

test('others can reach it: it does not start without a key, and says how to make one', async () => {
  const folder = newFolder();
  const flags = ['--data-folder', folder, '--engine', 'scripted', '--port', '0', '--log', 'silent'];
  for (const host of ['0.0.0.0', '::']) {
    const { code, stdout, stderr } = await run(['serve', '--host', host, ...flags]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Make one with: afterimage keys add --tenant NAME [key_needed]');
  }
});

test('listing and revoking keys makes nothing where there are none', async () => {
  const folder = join(newFolder(), 'of-nobody');
  const listed = await run(['keys', 'list', '--json', '--data-folder', folder]);
  expect([listed.code, listed.stdout]).toEqual([0, '[]\n']);
  const revoked = await run(['keys', 'revoke', 'key_x', '--data-folder', folder]);
  expect([revoked.code, revoked.stderr]).toEqual([2, 'afterimage: There is no key key_x. [not_found]\n']);
  expect(existsSync(folder)).toBe(false);
});

test('others can reach it: nothing without a key, and a revoked one is refused at once', async () => {
  const folder = newFolder();
  const acme = await addKey(folder, '--tenant', 'acme', '--name', 'laptop');
  const server = await start(folder, { flags: ['--host', '0.0.0.0'] });
  const turn = (key?: string) =>
    server.json('POST', '/v1/responses', { model, input: 'Hello' }, key ? bearer(key) : {});
  expect((await turn()).body.error.code).toBe('invalid_api_key');
  expect((await turn(`ai-${'x'.repeat(43)}`)).status).toBe(401);
  const told = await turn(acme.key);
  expect(told.status).toBe(200);

  // Made while it runs, for another tenant, which sees nothing of the first.
  const other = await addKey(folder, '--tenant', 'other');
  const read = await server.json('GET', `/v1/responses/${told.body.id}`, undefined, bearer(other.key));
  expect(read.status).toBe(404);
  expect((await turn(other.key)).status).toBe(200);

  const listed = await run(['keys', 'list', '--json', '--data-folder', folder]);
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { keyId: acme.id, tenant: 'acme', name: 'laptop', lastUsedDay: new Date().toISOString().slice(0, 10) },
    { keyId: other.id, tenant: 'other' },
  ]);
  expect(listed.stdout).not.toContain(acme.key.slice(3));

  const revoked = await run(['keys', 'revoke', acme.id, '--data-folder', folder]);
  expect([revoked.code, revoked.stderr]).toEqual([0, `${acme.id} is revoked.\n`]);
  expect((await turn(acme.key)).status).toBe(401);
  expect((await turn(other.key)).status).toBe(200);
  const again = await run(['keys', 'revoke', acme.id, '--data-folder', folder]);
  expect([again.code, again.stderr]).toEqual([2, `afterimage: There is no key ${acme.id}. [not_found]\n`]);
  for (const secret of [acme.key, other.key]) expect(server.stderr()).not.toContain(secret.slice(3));
});

test("limits: the key's own, else its tenant's, else the server's", async () => {
  const folder = newFolder();
  const own = await addKey(folder, '--tenant', 'acme', '--requests-per-minute', '7');
  const ofTenant = await addKey(folder, '--tenant', 'acme');
  const ofServer = await addKey(folder, '--tenant', 'other');
  const unlimited = await addKey(folder, '--tenant', 'other', '--requests-per-minute', 'none');
  const tenants = JSON.stringify({ acme: { requestsPerMinute: 8 } });
  const server = await start(folder, { flags: ['--requests-per-minute', '9', '--tenants', tenants] });
  const limitOf = async ({ key }: { key: string }) => {
    const reply = await fetch(`${server.url}/v1/models`, { headers: bearer(key) });
    return reply.headers.get('x-ratelimit-limit-requests');
  };
  expect(await Promise.all([own, ofTenant, ofServer, unlimited].map(limitOf))).toEqual(['7', '8', '9', null]);
});

test.each([
  [['keys', 'add', '--tenant', 'A B'], /tenant: must be 1 to 64 of a-z, 0-9, _ and -, got "A B"/],
  [['keys', 'add', '--tenant', 'a', '--tokens-per-minute', 'many'], /--tokens-per-minute: .* got "many"/],
  [['keys', 'add'], /required option '--tenant <name>' not specified/],
  [['keys', 'revoke', 'key_nobody'], /There is no key key_nobody\./],
])('%j is refused', async (args, problem) => {
  const { code, stdout, stderr } = await run(args, { AFTERIMAGE_DATA_FOLDER: newFolder() });
  expect(stderr).toMatch(problem);
  expect([code, stdout]).toEqual([2, '']);
});

test("sessions on the command line: listed, shown and removed, each key its own tenant's", async () => {
  const folder = newFolder();
  const acme = await addKey(folder, '--tenant', 'acme');
  const other = await addKey(folder, '--tenant', 'other');
  const server = await start(folder);
  const told = await server.json('POST', '/v1/responses', { model, input: 'Hello' }, bearer(acme.key));
  const sessions = (args: string[], key: string) =>
    run(['sessions', ...args, '--url', server.url], { AFTERIMAGE_API_KEY: key });

  const listed = await sessions(['list'], acme.key);
  const [, row = ''] = listed.stdout.split('\n');
  const [id = '', turns] = row.split(/ +/);
  expect([listed.stdout.split(/ +/)[0], turns]).toEqual(['ID', '1']);
  expect(told.body.id).toContain(id);
  expect((await sessions(['list'], other.key)).stdout.trim().split('\n')).toHaveLength(1);
  const shown = await sessions(['show', told.body.id, '--json'], acme.key);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    id,
    last_response_id: told.body.id,
    turns: 1,
    pictures: 0,
  });

  const foreign = await sessions(['rm', id], other.key);
  expect([foreign.code, foreign.stdout]).toEqual([2, '']);
  expect(foreign.stderr).toMatch(/^afterimage: There is no session \w+\. \[not_found\]\n$/);
  const removed = await sessions(['rm', id], acme.key);
  expect(removed.stdout).toMatch(/^Removed 1 responses, 2 items, 0 pictures, \d+ bytes\.\n$/);
  expect((await sessions(['show', id], acme.key)).stderr).toContain('[not_found]');
  const wrong = await sessions(['list'], `ai-${'x'.repeat(43)}`);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('[invalid_api_key]')]);
});

test('a server that is not there, or is something else, is said so', async () => {
  const other = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const list = async (at: string) => {
    const { code, stdout, stderr } = await run(['sessions', 'list', '--url', at]);
    expect(stdout).toBe('');
    return [code, stderr];
  };
  const nobody = `afterimage: No Afterimage server answers at ${url}`;
  expect(await list(url)).toEqual([
    5,
    `${nobody}: something else answers there (status 200). [server_unreachable]\n`,
  ]);
  other.close();
  expect(await list(url)).toEqual([5, `${nobody}: nothing listens there. [server_unreachable]\n`]);
  expect(await list('ftp://x')).toEqual([
    2,
    'afterimage: --url: must be like http://127.0.0.1:8080, got "ftp://x". [invalid_parameter]\n',
  ]);
});
