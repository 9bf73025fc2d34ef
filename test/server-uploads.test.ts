import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ServerRun, servers } from './helpers/servers.ts';

const { newFolder, run, start } = servers();
const picture = readFileSync(new URL('../examples/rabbit.png', import.meta.url));
const flags = ['--engine', 'scripted'];
const keyOf = (byte: number): string => `${Buffer.alloc(32, byte).toString('base64')}\n`;

async function upload(server: ServerRun): Promise<string> {
  const form = new FormData();
  form.set('purpose', 'vision');
  form.set('file', new File([picture], 'rabbit.png'));
  const response = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form });
  expect(response.status).toBe(200);
  return ((await response.json()) as { id: string }).id;
}
const contentOf = async (server: ServerRun, id: string): Promise<Buffer> =>
  Buffer.from(await (await fetch(`${server.url}/v1/files/${id}/content`)).arrayBuffer());
const end = async (server: ServerRun): Promise<void> => {
  server.process.kill('SIGTERM');
  await server.exit;
};
const refusal = async (folder: string, ...more: string[]): Promise<string> => {
  const { code, stderr } = await run(['serve', '--data-folder', folder, '--port', '0', ...flags, ...more]);
  expect(code).not.toBe(0);
  return stderr;
};
/** All files below a folder. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

test('no file of the data folder holds a picture in clear, and the next server opens it', async () => {
  const folder = newFolder();
  const first = await start(folder, { flags });
  const id = await upload(first);
  expect(await contentOf(first, id)).toEqual(picture);
  await end(first);
  const piece = picture.subarray(100, 132);
  for (const path of filesIn(folder)) {
    const bytes = readFileSync(path);
    expect([path, bytes.includes(piece), bytes.includes('IHDR')]).toEqual([path, false, false]);
    expect(statSync(path).mode & 0o077).toBe(0);
  }
  expect(readFileSync(join(folder, 'uploads.key'))).toHaveLength(32);
  const second = await start(folder, { flags });
  expect(await contentOf(second, id)).toEqual(picture);
});

test('without their key the pictures are not started on, and without pictures a new one is made', async () => {
  const folder = newFolder();
  const first = await start(folder, { flags });
  const id = await upload(first);
  await end(first);
  const keyPath = join(folder, 'uploads.key');
  const key = readFileSync(keyPath);

  rmSync(keyPath);
  expect(await refusal(folder)).toContain('stateKeyFile: is missing: the pictures in');
  writeFileSync(keyPath, 'short');
  expect(await refusal(folder)).toContain('it has 5 bytes instead of 32');
  const operatorKey = join(folder, 'operator.key');
  writeFileSync(operatorKey, keyOf(7));
  expect(await refusal(folder, '--state-key-file', operatorKey)).toContain('stateKeyFile: is not their key');

  writeFileSync(keyPath, key);
  const again = await start(folder, { flags });
  expect(await contentOf(again, id)).toEqual(picture);
  expect((await again.json('DELETE', `/v1/files/${id}`)).status).toBe(200);
  await end(again);

  rmSync(keyPath);
  const fresh = await start(folder, { flags: [...flags, '--state-key-file', operatorKey] });
  const other = await upload(fresh);
  await end(fresh);
  expect(await refusal(folder)).toContain('stateKeyFile: is missing');
  const last = await start(folder, { flags: [...flags, '--state-key-file', operatorKey] });
  expect(await contentOf(last, other)).toEqual(picture);
});
