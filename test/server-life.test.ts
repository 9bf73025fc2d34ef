import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { newSession, parseResponseId } from '../src/session/ids.ts';
import { decodeRecord, encodeRecord } from '../src/session/recordCodec.ts';
import { failpoints } from '../src/session/turnParts.ts';
import { type ServerRun, type StreamEvent, servers, streamEvents, textOf } from './helpers/servers.ts';

const { newFolder, run, start } = servers();
const model = 'scripted';
/** Nine tokens, three seconds. */
const slow = { flags: ['--scripted-delay-ms', '300'] };

async function rest(events: AsyncGenerator<StreamEvent>): Promise<StreamEvent[]> {
  const all: StreamEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** A streamed turn that has begun to answer. */
async function beginTurn({ url }: ServerRun): Promise<{ id: string; events: AsyncGenerator<StreamEvent> }> {
  const events = streamEvents(url, { model, input: 'Hello' });
  let id = '';
  for (;;) {
    const { value } = await events.next();
    if (value?.type === 'response.created') id = value.response.id;
    if (value?.type === 'response.output_text.delta') return { id, events };
    if (!value) throw new Error('the stream ended before its first delta');
  }
}

test('says in one line where it is, and ends with 0 when it is told to', async () => {
  const folder = newFolder();
  const server = await start(folder);
  expect(server.stdout()).toBe(`scripted at ${server.url}, data in ${folder}\n`);
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  for (const path of ['/livez', '/readyz']) expect((await fetch(`${server.url}${path}`)).status).toBe(200);
  server.process.kill('SIGTERM');
  expect(await server.exit).toEqual({ code: 0, signal: null });
  expect(server.logs().map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['server: listening', 'server: stopping', 'server: stopped']),
  );
});

test.skipIf(process.platform === 'win32')(
  'a data folder that is moved away is said so by both turns and readiness, until it is back',
  async () => {
    const folder = newFolder();
    const server = await start(folder);
    const ready = async () => (await fetch(`${server.url}/readyz`)).status;
    const turn = () => server.json('POST', '/v1/responses', { model, input: 'Hello' });
    expect([await ready(), (await turn()).status]).toEqual([200, 200]);
    renameSync(join(folder, 'store'), join(folder, 'elsewhere'));
    expect(await ready()).toBe(503);
    const refused = await turn();
    expect([refused.status, refused.body.error.code]).toEqual([503, 'storage_unavailable']);
    renameSync(join(folder, 'elsewhere'), join(folder, 'store'));
    expect([await ready(), (await turn()).status]).toEqual([200, 200]);
  },
);

test('after kill -9 what was answered is there, and the conversation goes on', async () => {
  const folder = newFolder();
  const first = await start(folder);
  const told = await first.json('POST', '/v1/responses', { model, input: 'Hello' });
  expect(told.status).toBe(200);
  first.process.kill('SIGKILL');
  expect((await first.exit).signal).toBe('SIGKILL');

  const second = await start(folder);
  const read = await second.json('GET', `/v1/responses/${told.body.id}`);
  expect(read.body).toEqual(told.body);
  const next = { model, input: 'And?', previous_response_id: told.body.id };
  const answer = await second.json('POST', '/v1/responses', next);
  expect(answer.status).toBe(200);
  // The scripted answer is a digest of the whole conversation: without the first turn it would be another one.
  const alone = await second.json('POST', '/v1/responses', { model, input: 'And?' });
  expect(textOf(answer)).not.toBe(textOf(alone));
  const again = await second.json('POST', '/v1/responses', next);
  expect(textOf(again)).toBe(textOf(answer));
});

test('on SIGTERM it is not ready at once, takes no new turns, and lets the running one end', async () => {
  const folder = newFolder();
  const server = await start(folder, slow);
  const { id, events } = await beginTurn(server);
  server.process.kill('SIGTERM');
  await expect
    .poll(async () => (await fetch(`${server.url}/readyz`)).status, { interval: 10, timeout: 2_000 })
    .toBe(503);
  const refused = await server.json('POST', '/v1/responses', { model, input: 'Me too' });
  expect([refused.status, refused.body.error.code]).toEqual([503, 'draining']);
  const last = (await rest(events)).at(-1);
  expect([last?.type, last?.response.id]).toEqual(['response.completed', id]);
  expect(await server.exit).toEqual({ code: 0, signal: null });

  const next = await start(folder);
  const read = await next.json('GET', `/v1/responses/${id}`);
  expect(read.body).toEqual(last?.response);
});

test('a turn that outlasts the drain budget is stopped, and says so', async () => {
  const server = await start(newFolder(), { flags: ['--scripted-delay-ms', '10000', '--drain-ms', '200'] });
  const events = streamEvents(server.url, { model, input: 'Hello' });
  await events.next();
  const startedAt = performance.now();
  server.process.kill('SIGTERM');
  const last = (await rest(events)).at(-1);
  expect(last?.type).toBe('error');
  expect(last?.code ?? last?.error?.code).toBe('draining');
  expect(await server.exit).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test('a second signal ends it at once; the same one passed on by npm is no second', async () => {
  const folder = newFolder();
  const server = await start(folder, { flags: ['--scripted-delay-ms', '1000'] });
  const events = streamEvents(server.url, { model, input: 'Hello' });
  const { value: created } = await events.next();
  const ended = rest(events).catch(() => 'cut');
  server.process.kill('SIGINT');
  await sleep(50);
  server.process.kill('SIGINT');
  await sleep(600);
  expect(server.process.exitCode).toBeNull();
  server.process.kill('SIGTERM');
  expect(await server.exit).toEqual({ code: 130, signal: null });
  expect(await ended).toBe('cut');
  // The turn was not acknowledged, and is not there.
  const next = await start(folder);
  expect((await next.json('GET', `/v1/responses/${created?.response.id}`)).body.status).not.toBe('completed');
});

test('a port in use is told at once, and nothing stays locked', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  const { port } = blocker.address() as { port: number };
  const folder = newFolder();
  const flags = ['--data-folder', folder, '--engine', 'scripted', '--log', 'silent'];
  const { code, stderr } = await run(['serve', '--port', `${port}`, ...flags]);
  expect(stderr).toBe(
    `afterimage: The server could not listen on 127.0.0.1:${port}: another program uses this port. [listen_failed]\n`,
  );
  expect(code).toBe(5);
  blocker.close();
  await start(folder);
});

test('a data folder in use is refused, naming its owner', async () => {
  const folder = newFolder();
  const server = await start(folder);
  const flags = ['--data-folder', folder, '--engine', 'scripted', '--port', '0', '--log', 'silent'];
  const { code, stderr } = await run(['serve', ...flags]);
  expect(stderr).toContain(`pid ${server.process.pid}`);
  expect(stderr).toContain('[storage_locked]');
  expect(code).toBe(6);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

test('a data folder that cannot be one is refused', async () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, 'mine');
  const { code, stderr } = await run(['serve', '--data-folder', file, '--engine', 'scripted', '--port', '0']);
  expect(stderr).toMatch(/^afterimage: The storage at .* is not available: .* \[storage_unavailable\]\n$/);
  expect(code).toBe(6);
});

test.each(failpoints)(
  'killed at "%s": nothing acknowledged is lost, a retry runs the turn once',
  async (step) => {
    const folder = newFolder();
    const time = step === 'pointer-claimed' ? 1 : 2;
    const first = await start(folder, { env: { AFTERIMAGE_FAILPOINT: `${step}:${time}` } });
    const conversation = await first.json('POST', '/v1/conversations', {});
    const conversationId: string = conversation.body.id;
    const turn = (input: string) => ({ model, input, conversation: conversationId });
    const told = await first.json('POST', '/v1/responses', turn('Hello'));
    expect(told.status).toBe(200);
    const retried = [turn('And?'), { 'idempotency-key': 'a-key-of-mine' }] as const;
    await expect(first.json('POST', '/v1/responses', ...retried)).rejects.toThrow();
    expect((await first.exit).signal).toBe('SIGKILL');

    const second = await start(folder);
    expect((await second.json('GET', `/v1/responses/${told.body.id}`)).body).toEqual(told.body);
    const answer = await second.json('POST', '/v1/responses', ...retried);
    expect(answer.status).toBe(200);
    const items = await second.json('GET', `/v1/conversations/${conversationId}/items?order=asc`);
    const texts = items.body.data.map((item: { content: { text: string }[] }) => item.content[0]?.text);
    expect(texts).toEqual(['Hello', textOf(told), 'And?', textOf(answer)]);
  },
);

/** Writes the session of a response again, under other names. */
function copySession(path: string, responseId: string, times: number): void {
  const { session = '' } = parseResponseId(responseId) ?? {};
  const database = new DatabaseSync(path);
  const row = database.prepare("SELECT * FROM records WHERE kind = 'session' AND id = ?").get(session);
  if (!row) throw new Error(`there is no session ${session}`);
  const record = decodeRecord(session, row.value as Uint8Array);
  const insert = database.prepare('INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)');
  database.exec('BEGIN');
  for (let n = 0; n < times; n++) {
    const name = newSession();
    const value = encodeRecord({ ...record, session: name });
    insert.run(
      row.tenant as string,
      'session',
      name,
      row.version as number,
      value,
      row.expires_at_ms as number,
    );
  }
  database.exec('COMMIT');
  database.close();
}

test('ready within two seconds of a start on 10,000 sessions', async () => {
  const folder = newFolder();
  const first = await start(folder);
  const told = await first.json('POST', '/v1/responses', { model, input: 'Hello' });
  first.process.kill('SIGKILL');
  await first.exit;
  copySession(join(folder, 'store', 'afterimage.db'), told.body.id, 9_999);
  const startedAt = performance.now();
  const second = await start(folder);
  const readyMs = performance.now() - startedAt;
  console.log(`ready after ${readyMs.toFixed(0)} ms with 10,000 sessions, node's own start included`);
  expect(readyMs).toBeLessThan(10_000);
  expect((await second.json('GET', `/v1/responses/${told.body.id}`)).body).toEqual(told.body);
  const listed = await run(['sessions', 'list', '--json', '--url', second.url]);
  expect([listed.code, listed.stderr]).toEqual([0, '']);
  expect(JSON.parse(listed.stdout)).toHaveLength(10_000);
});
