import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { droppingProxy } from './helpers/droppingProxy.ts';
import { echoAfter, type Said } from './helpers/scriptedEcho.ts';
import { type Reply, type ServerRun, servers, textOf } from './helpers/servers.ts';

/** Many clients at once, over real sockets to a server of its own. */

const { newFolder, run, start } = servers();
const model = 'scripted';
// The shipped counts keep the suite short, 2000 each is the full run.
const races = Number(process.env.AFTERIMAGE_TEST_RACES ?? 160);
const retries = Number(process.env.AFTERIMAGE_TEST_RETRIES ?? 400);

const parallel = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const bearer = (key?: string): Record<string, string> =>
  key === undefined ? {} : { authorization: `Bearer ${key}` };

interface Outcome extends Reply {
  readonly headers: Headers;
}

async function post({ url }: ServerRun, path: string, body: object, key?: string): Promise<Outcome> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(key) },
    body: JSON.stringify({ model, ...body }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

const newConversation = async (server: ServerRun, key?: string): Promise<string> =>
  (await server.json('POST', '/v1/conversations', {}, bearer(key))).body.id;

test(`of 2 to 20 turns at once on a conversation one commits each version, ${races} times`, {
  timeout: 30_000 + races * 200,
}, async () => {
  const racesPerConversation = 10;
  const flags = ['--lease-wait-ms', '0', '--scripted-delay-ms', '2', '--log', 'warn'];
  const server = await start(newFolder(), { flags });
  const totals = { racers: 0, won: 0 };
  const raceOn = async (): Promise<void> => {
    const conversation = await newConversation(server);
    const turns: Said[] = [];
    for (let race = 0; race < racesPerConversation; race++) {
      const racers = await parallel(2 + Math.floor(Math.random() * 19), async (n) => {
        const input = `${race}/${n}`;
        return { input, ...(await post(server, '/v1/responses', { input, conversation })) };
      });
      const won = racers.filter(({ status }) => status === 200);
      for (const { status, headers, body } of racers.filter((racer) => !won.includes(racer))) {
        expect([status, body.error.code]).toEqual([409, 'session_busy']);
        expect(Number(headers.get('retry-after-ms'))).toBeGreaterThan(0);
      }
      const versionOf = ({ headers }: Outcome) => Number(headers.get('afterimage-session-version'));
      won.sort((a, b) => versionOf(a) - versionOf(b));
      expect(won.length).toBeGreaterThan(0);
      for (const winner of won) {
        expect(versionOf(winner)).toBe(turns.length + 1);
        expect(textOf(winner)).toBe(echoAfter(turns, winner.input));
        turns.push({ input: winner.input, answer: textOf(winner) });
      }
      totals.racers += racers.length;
      totals.won += won.length;
    }
    const { body } = await server.json('GET', `/v1/sessions/${conversation}`);
    expect([body.version, body.turns, body.items]).toEqual([turns.length, turns.length, 2 * turns.length]);
  };
  const lanes = 4;
  await parallel(lanes, async () => {
    for (let raced = 0; raced < races / lanes; raced += racesPerConversation) await raceOn();
  });
  expect(server.logs()).toEqual([]);
  console.log(`${races} races of ${totals.racers} turns: ${totals.won} committed`);
});

test(`${retries} replies lost after their commit: the official client tries again, no turn is doubled`, {
  timeout: 30_000 + retries * 100,
}, async () => {
  const lanes = Math.min(100, retries);
  const turnsPerLane = Math.ceil(retries / lanes);
  const server = await start(newFolder(), {
    flags: ['--max-waiting', '1000', '--max-waiting-per-tenant', '1000', '--log', 'warn'],
  });
  await using proxy = await droppingProxy(server.url);
  const client = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: 'none', maxRetries: 4 });
  await parallel(lanes, async (lane) => {
    const inConversation = lane % 2 === 0;
    const conversation = inConversation ? await newConversation(server) : undefined;
    const turns: (Said & { id: string })[] = [];
    for (let turn = 0; turn < turnsPerLane; turn++) {
      const input = `${lane}/${turn}`;
      const previous = inConversation ? undefined : turns.at(-1)?.id;
      const body = {
        model,
        input,
        ...(conversation !== undefined && { conversation }),
        ...(previous !== undefined && { previous_response_id: previous }),
      };
      const response = await (Math.floor(lane / 2 + turn) % 2 === 0
        ? client.responses.create(body)
        : lastOf(await client.responses.create({ ...body, stream: true })));
      const [answer = ''] = response.output
        .flatMap((item) => (item.type === 'message' ? item.content : []))
        .map((part) => ('text' in part ? part.text : ''));
      expect(answer).toBe(echoAfter(turns, input));
      expect(proxy.droppedFor(input)).toContain(response.id);
      expect(proxy.droppedFor(input)).toContain(answer);
      turns.push({ input, answer, id: response.id });
    }
    const { body } = await server.json('GET', `/v1/sessions/${conversation ?? turns[0]?.id}`);
    expect([body.turns, body.items]).toEqual([turnsPerLane, 2 * turnsPerLane]);
  });
  const sessions = await sessionsOf(server);
  expect(sessions.reduce((sum, { turns }) => sum + turns, 0)).toBe(lanes * turnsPerLane);
  expect(proxy.dropped).toBeGreaterThanOrEqual(retries);
  expect(server.logs()).toEqual([]);
  console.log(`${proxy.dropped} replies lost, ${lanes * turnsPerLane} turns committed`);
});

async function lastOf(
  events: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>,
): Promise<OpenAI.Responses.Response> {
  for await (const event of events) if (event.type === 'response.completed') return event.response;
  throw new Error('the stream ended before its last event');
}

interface Session {
  readonly turns: number;
  readonly record_bytes: number;
}

async function sessionsOf(server: ServerRun, key?: string): Promise<Session[]> {
  const flags = ['sessions', 'list', '--json', '--url', server.url];
  const { code, stdout, stderr } = await run(flags, key === undefined ? {} : { AFTERIMAGE_API_KEY: key });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

async function newKeys(folder: string, tenants: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const tenant of tenants) {
    const { code, stdout } = await run(['keys', 'add', '--data-folder', folder, '--tenant', tenant]);
    expect(code).toBe(0);
    keys.push(stdout.trim());
  }
  return keys;
}

test('1,000 live sessions of 10 turns on four slots: every answer is right, in little memory', {
  timeout: 300_000,
}, async () => {
  const [sessions, turnsPerSession] = [1_000, 10];
  const folder = newFolder();
  const keys = await newKeys(folder, ['acme', 'bolt', 'core', 'dune']);
  const waiting = ['--max-waiting', '2000', '--max-waiting-per-tenant', '2000'];
  const server = await start(folder, { flags: ['--max-running', '4', ...waiting, '--log', 'warn'] });
  const startedAt = performance.now();
  await parallel(sessions, async (n) => {
    const key = keys[n % keys.length] as string;
    const conversation = n % 8 < 4 ? await newConversation(server, key) : undefined;
    const turns: Said[] = [];
    let place: object = conversation === undefined ? {} : { conversation };
    for (let turn = 0; turn < turnsPerSession; turn++) {
      const input = `session ${n}, turn ${turn}`;
      const reply = await post(server, '/v1/responses', { input, ...place }, key);
      expect(reply.status, JSON.stringify(reply.body)).toBe(200);
      const answer = textOf(reply);
      expect(answer).toBe(echoAfter(turns, input));
      turns.push({ input, answer });
      if (conversation === undefined) place = { previous_response_id: reply.body.id };
    }
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const found = (await Promise.all(keys.map((key) => sessionsOf(server, key)))).flat();
  expect(found).toHaveLength(sessions);
  expect(new Set(found.map(({ turns }) => turns))).toEqual(new Set([turnsPerSession]));
  const recordBytes = found.map(({ record_bytes }) => record_bytes);
  expect(Math.max(...recordBytes)).toBeLessThan(10_000);
  const told = [`${sessions * turnsPerSession} turns in ${seconds.toFixed(1)} s`];
  told.push(`${median(recordBytes)} bytes a record, at most ${Math.max(...recordBytes)}`);
  if (process.platform === 'linux') {
    const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
    const peakMiB = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
    expect(peakMiB).toBeLessThan(512);
    told.push(`${peakMiB.toFixed(0)} MiB resident at the peak`);
  }
  expect(server.logs()).toEqual([]);
  console.log(told.join('; '));
});

test('a tenant that floods the server waits for itself, the others hardly', async () => {
  const folder = newFolder();
  const [flood = '', ...others] = await newKeys(folder, ['flood', 'acme', 'bolt']);
  const server = await start(folder, { flags: ['--max-running', '4', '--scripted-delay-ms', '3'] });
  const turn = async (key: string): Promise<{ turnMs: number; queuedMs: number }> => {
    const startedAt = performance.now();
    const reply = await post(server, '/v1/responses', { input: 'Hello' }, key);
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    return { turnMs: performance.now() - startedAt, queuedMs: reply.body.afterimage.queued_ms };
  };
  const askTwenty = async (key: string) => {
    const turns = [];
    for (let n = 0; n < 20; n++) turns.push(await turn(key));
    return turns;
  };
  const alone = (await Promise.all(others.map(askTwenty))).flat();
  const aloneMs = median(alone.map(({ turnMs }) => turnMs));

  let flooding = true;
  const flooded: number[] = [];
  const floods = parallel(60, async () => {
    while (flooding) flooded.push((await turn(flood)).queuedMs);
  });
  const beside = (await Promise.all(others.map(askTwenty))).flat();
  flooding = false;
  await floods;
  const waits = beside.map(({ queuedMs }) => queuedMs);
  console.log(
    `a turn alone ${aloneMs.toFixed(0)} ms; beside the flood the others wait ${median(waits).toFixed(0)} ms, ` +
      `at most ${Math.max(...waits).toFixed(0)}; the flood waits ${median(flooded).toFixed(0)} ms`,
  );
  expect(median(waits)).toBeLessThan(2 * aloneMs);
  expect(Math.max(...waits)).toBeLessThan(4 * aloneMs);
  expect(median(flooded)).toBeGreaterThan(5 * median(waits));
});
