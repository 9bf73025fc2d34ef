import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Reply, type ServerRun, servers, textOf } from './helpers/servers.ts';

const { newFolder, run, start } = servers();
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 20 });
const flags = ['--engine', 'native', '--gpu', 'off', '--vision-weights', 'f16'];
const pictureOf = (name: string): object => {
  const base64 = readFileSync(new URL(`../examples/${name}.png`, import.meta.url)).toString('base64');
  return { type: 'input_image', image_url: `data:image/png;base64,${base64}` };
};
const objectsIn = (folder: string): string[] => readdirSync(join(folder, 'state', 'objects'));
const end = async (server: ServerRun, signal: NodeJS.Signals): Promise<void> => {
  server.process.kill(signal);
  await server.exit;
};

async function ask(
  server: ServerRun,
  text: string,
  extra: object = {},
  ...pictures: object[]
): Promise<Reply> {
  const content = [...pictures, { type: 'input_text', text }];
  const reply = await server.json('POST', '/v1/responses', { input: [{ role: 'user', content }], ...extra });
  expect([reply.status, reply.body.error ?? null]).toEqual([200, null]);
  return reply;
}
const after = ({ body }: Reply): object => ({ previous_response_id: body.id });

test('after a shutdown a conversation goes on from disk, after a crash from the state of its picture', {
  timeout: 90_000,
}, async () => {
  const folder = newFolder();
  const first = await start(folder, { flags });
  const brand = await ask(first, 'What is the brand?', {}, pictureOf('rabbit'));
  expect([textOf(brand), brand.body.afterimage.tier]).toEqual(['Zentro.', 'pixels']);
  await end(first, 'SIGTERM');

  const second = await start(folder, { flags });
  await eventually(() => second.logs().some(({ msg }) => msg === 'state: resumed')).toBe(true);
  const price = await ask(second, '多少钱？', after(brand));
  expect(textOf(price)).toBe('$49。');
  expect(price.body.afterimage).toMatchObject({ tier: 'disk', images_encoded: 0 });
  expect(price.body.afterimage.tokens_computed).toBeLessThan(20);
  expect(price.body.afterimage.load_ms).toBeGreaterThan(0);
  expect(price.body.afterimage.plan.estimated_ms).toBeGreaterThan(0);

  const shown = await run(['sessions', 'show', brand.body.id, '--url', second.url]);
  expect(shown.stdout).toMatch(/image\s+\d+ tokens.*disk \d+\.\d MiB/);
  expect(shown.stdout).toMatch(/hot \d+\.\d MiB/);
  const { body } = await second.json('GET', `/v1/sessions/${brand.body.id}`);
  expect(body.state.map((node: { kind: string }) => node.kind)).toContain('image');
  await end(second, 'SIGKILL');

  const third = await start(folder, { flags });
  await eventually(() => third.logs().some(({ msg }) => msg === 'state: resumed')).toBe(true);
  const stock = await ask(third, 'Is it in stock?', after(price));
  expect(textOf(stock)).toBe('It is in stock.');
  expect(stock.body.afterimage).toMatchObject({ tier: 'disk', images_encoded: 0 });
});

test('what begins with the same picture begins with its state, whoever of the tenant made it', async () => {
  const folder = newFolder();
  const server = await start(folder, { flags: [...flags, '--kv-cells', '512'] });
  await ask(server, 'What is the brand?', {}, pictureOf('rabbit'));
  // Others take its place in the cache.
  await ask(server, 'What is the brand?', {}, pictureOf('dog'));
  await ask(server, 'Hello', { instructions: 'word '.repeat(200), max_output_tokens: 2 });
  const other = await ask(server, '多少钱？', {}, pictureOf('rabbit'));
  expect(textOf(other)).toBe('$49。');
  expect(other.body.afterimage).toMatchObject({ tier: 'ram', images_encoded: 0 });
});

test('what is deleted is gone from the disk when the answer comes, what others use stays', async () => {
  const folder = newFolder();
  const first = await start(folder, { flags });
  const one = await ask(first, 'What is the brand?', {}, pictureOf('rabbit'));
  const two = await ask(first, 'What is the brand?', {}, pictureOf('rabbit'), pictureOf('dog'));
  await end(first, 'SIGTERM');
  const second = await start(folder, { flags });
  await eventually(() => second.logs().some(({ msg }) => msg === 'state: resumed')).toBe(true);
  const before = objectsIn(folder).length;
  expect(before).toBeGreaterThan(2);
  expect((await second.json('DELETE', `/v1/sessions/${two.body.id}`)).status).toBe(200);
  const left = objectsIn(folder).length;
  expect(left).toBeLessThan(before);
  expect(left).toBeGreaterThan(0);
  const more = await ask(second, '多少钱？', after(one));
  expect([textOf(more), more.body.afterimage.tier]).toEqual(['$49。', 'disk']);
  expect((await second.json('DELETE', `/v1/sessions/${one.body.id}`)).status).toBe(200);
  expect(objectsIn(folder)).toEqual([]);
});

test('what expired while nobody was there is gone soon after the start', async () => {
  const folder = newFolder();
  const short = [...flags, '--idle-ttl-ms', '1000'];
  const first = await start(folder, { flags: short });
  await ask(first, 'What is the brand?', {}, pictureOf('rabbit'));
  await end(first, 'SIGTERM');
  const wasKept = existsSync(join(folder, 'state', 'objects')) && objectsIn(folder).length > 0;
  expect(wasKept).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await start(folder, { flags: short });
  await eventually(() => objectsIn(folder)).toEqual([]);
});

test('an operator’s own key seals the state, and a wrong one is told by name', {
  timeout: 90_000,
}, async () => {
  const folder = newFolder();
  const keyFile = join(folder, 'operator.key');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(keyFile, `${Buffer.alloc(32, 7).toString('base64')}\n`);
  const server = await start(folder, { flags: [...flags, '--state-key-file', keyFile] });
  const one = await ask(server, 'What is the brand?', {}, pictureOf('rabbit'));
  await end(server, 'SIGTERM');
  expect(existsSync(join(folder, 'state', 'master.key'))).toBe(false);
  expect(statSync(join(folder, 'state', 'keys.db')).mode & 0o077).toBe(0);
  const again = await start(folder, { flags: [...flags, '--state-key-file', keyFile] });
  await eventually(() => again.logs().some(({ msg }) => msg === 'state: resumed')).toBe(true);
  expect((await ask(again, '多少钱？', after(one))).body.afterimage.tier).toBe('disk');
  await end(again, 'SIGTERM');
  writeFileSync(keyFile, 'c2hvcnQ=');
  const refused = await run(['serve', '--data-folder', folder, '--port', '0', '--state-key-file', keyFile]);
  expect(refused.stderr).toContain('stateKeyFile: must hold 32 bytes as base64, got 5 bytes');
});
