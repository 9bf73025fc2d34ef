import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterAll, expect, test } from 'vitest';
import { type ServerRun, servers } from './helpers/servers.ts';

/** Clients that hang up: what the engine did for them ends at once, for whoever waits for its place. */

const { newFolder, start } = servers({ endAfter: afterAll });
const freeWithinMs = 250;

/** A string of 2,000 characters at least: no model ends it early. */
const schema = {
  type: 'object',
  properties: { text: { type: 'string', minLength: 2_000 } },
  required: ['text'],
  additionalProperties: false,
};
const format = { type: 'json_schema', name: 'long', schema };
const asked = [{ role: 'user', content: 'Hello' }];
const responses = { path: '/v1/responses', body: { input: asked, text: { format } } };
const chat = {
  path: '/v1/chat/completions',
  body: {
    messages: asked,
    response_format: { type: 'json_schema', json_schema: { name: 'long', schema } },
  },
};
const ways = [
  ['a streamed response', { ...responses, stream: true }],
  ['a whole response', { ...responses, stream: false }],
  ['a streamed completion', { ...chat, stream: true }],
  ['a whole completion', { ...chat, stream: false }],
] as const;
type Way = (typeof ways)[number][1];

/** Sends a turn over a connection of its own. Its reply, if one is begun before it is cut, is read as it comes. */
function send({ url }: ServerRun, { path, body, stream }: Way): ClientRequest {
  const sent = request(`${url}${path}`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  sent.on('error', () => {}); // Its end is our own doing.
  sent.on('response', (reply: IncomingMessage) => reply.on('error', () => {}).resume());
  sent.end(JSON.stringify({ ...body, stream }));
  return sent;
}

async function engineState({ url }: ServerRun): Promise<{ running: number; waiting: number }> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const gauge = (name: string) =>
    Number(new RegExp(`^afterimage_engine_${name} (\\d+)$`, 'm').exec(page)?.[1]);
  return { running: gauge('running'), waiting: gauge('waiting') };
}

const eventually = (server: ServerRun) =>
  expect.poll(() => engineState(server), { interval: 5, timeout: 10_000 });

/** Milliseconds from the end of the connection until the engine is idle, seen from outside. */
async function idleAfterCut(server: ServerRun, way: Way): Promise<number> {
  const sent = send(server, way);
  if (way.stream) await once((await once(sent, 'response'))[0] as IncomingMessage, 'data');
  await eventually(server).toEqual({ running: 1, waiting: 0 });
  const cutAt = performance.now();
  sent.destroy();
  await eventually(server).toEqual({ running: 0, waiting: 0 });
  return performance.now() - cutAt;
}

async function idleTimes(server: ServerRun, times: number): Promise<void> {
  for (const [name, way] of ways) {
    const idleMs: number[] = [];
    for (let time = 0; time < times; time++) idleMs.push(await idleAfterCut(server, way));
    const worstMs = Math.max(...idleMs);
    console.log(`${name}: idle at most ${worstMs.toFixed(0)} ms after the client left`);
    expect(worstMs, name).toBeLessThan(freeWithinMs);
  }
  // None of them had come to its end before.
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const outcomes = [...page.matchAll(/^afterimage_turns_total(\{.*\} \d+)$/gm)].map(([, line]) => line);
  expect(outcomes).toEqual([`{outcome="stopped"} ${times * ways.length}`]);
  expect(server.logs().filter(({ level }) => Number(level) >= 40)).toEqual([]);
}

test('the scripted engine is free again', async () => {
  const server = await start(newFolder(), { flags: ['--scripted-delay-ms', '400'] });
  await idleTimes(server, 5);
  const { data } = (await server.json('GET', '/v1/sessions')).body;
  expect(data).toEqual([]);
});

test('who waits for the engine and leaves is forgotten, the one before it goes on', async () => {
  const flags = ['--scripted-delay-ms', '300', '--max-running', '1'];
  const server = await start(newFolder(), { flags });
  const first = server.json('POST', '/v1/responses', { input: 'Hello' });
  await eventually(server).toEqual({ running: 1, waiting: 0 });
  for (const [name, way] of ways) {
    const sent = send(server, way);
    await eventually(server).toEqual({ running: 1, waiting: 1 });
    const cutAt = performance.now();
    sent.destroy();
    await eventually(server).toEqual({ running: 1, waiting: 0 });
    expect(performance.now() - cutAt, name).toBeLessThan(freeWithinMs);
  }
  expect((await first).body.status).toBe('completed');
  expect((await server.json('GET', '/v1/sessions')).body.data).toHaveLength(1);
});

test('the native engine is free again', async () => {
  // One thread: on a busy machine a step of several waits for the one that isn't running, and with it whoever leaves.
  const flags = ['--engine', 'native', '--gpu', 'off', '--threads', '1'];
  const server = await start(newFolder(), { flags });
  await idleTimes(server, 3);
});
