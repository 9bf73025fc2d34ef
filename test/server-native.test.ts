import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive } from './helpers/processes.ts';
import { type Reply, type ServerRun, servers, textOf } from './helpers/servers.ts';

const { newFolder, run, start } = servers();
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000, interval: 20 });
const flags = ['--engine', 'native', '--gpu', 'off'];
const rabbit = readFileSync(new URL('../examples/rabbit.png', import.meta.url)).toString('base64');

function ask(server: ServerRun, text: string, extra: object = {}): Promise<Reply> {
  const content = [{ type: 'input_text', text }];
  return server.json('POST', '/v1/responses', { input: [{ role: 'user', content }], ...extra });
}

const picture = { type: 'input_image', image_url: `data:image/png;base64,${rabbit}` };

/** The engine's process as the log names it, the latest last. */
const enginePids = (server: ServerRun): number[] =>
  server.logs().flatMap(({ msg, pid }) => (msg === 'engine process: ready' ? [Number(pid)] : []));

test('listens while the model loads, outlives its engine, and remembers the picture after a restart', async () => {
  const folder = newFolder();
  const first = await start(folder, { flags, wait: 'nothing' });
  await eventually(() => first.logs().some(({ msg }) => msg === 'server: listening')).toBe(true);
  const url = first.logs().find(({ msg }) => msg === 'server: listening')?.url as string;
  const early: ServerRun = { ...first, url };
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  expect([(await fetch(`${url}/livez`)).status, await ready()]).toEqual([200, 503]);
  expect(first.stdout()).toBe('');
  // A turn that comes too early waits.
  const input = [{ role: 'user', content: [picture, { type: 'input_text', text: 'What is the brand?' }] }];
  const response = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input }),
  });
  const told: Reply = { status: response.status, body: await response.json() };
  expect([told.status, textOf(told), told.body.afterimage.images_encoded]).toEqual([200, 'Zentro.', 1]);
  await eventually(ready).toBe(200);
  expect(first.stdout()).toBe(`Afterimage Tiny at ${url}, data in ${folder}\n`);

  const [engine = 0] = enginePids(early);
  process.kill(engine, 'SIGKILL');
  await eventually(() => enginePids(early).length).toBe(2);
  await eventually(ready).toBe(200);
  first.process.kill('SIGTERM');
  expect((await first.exit).code).toBe(0);
  for (const pid of enginePids(early)) await eventually(() => isAlive(pid)).toBe(false);

  const second = await start(folder, { flags });
  const answer = await ask(second, '多少钱？', { previous_response_id: told.body.id });
  expect([answer.status, textOf(answer)]).toEqual([200, '$49。']);
  const [pid = 0] = enginePids(second);
  second.process.kill('SIGKILL');
  await second.exit;
  // Its parent is gone without a word; it notices that itself.
  await eventually(() => isAlive(pid)).toBe(false);
});

test('a model that is not there ends it with one line', async () => {
  const folder = newFolder();
  const file = join(folder, 'missing.gguf');
  const args = ['serve', '--data-folder', folder, '--port', '0', '--log', 'silent'];
  const { code, stdout, stderr } = await run([...args, '--model', file, '--mmproj', file]);
  expect(stderr).toBe(`afterimage: No such model file: ${file}. [model_file_not_found]\n`);
  expect([code, stdout]).toEqual([4, '']);
});
