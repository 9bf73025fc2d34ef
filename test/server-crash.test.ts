import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { openStore } from '../src/store/openStore.ts';
import { echoAfter, type Said } from './helpers/scriptedEcho.ts';
import { type ServerRun, servers } from './helpers/servers.ts';

/** The server is killed at random moments while official clients talk to it, and started again on what it left. */

const { newFolder, start } = servers();
const model = 'scripted';
const lanesOfAKind = 2;
const turnsPerSession = 20;
// 300 take minutes: the shipped count keeps the suite short, AFTERIMAGE_TEST_KILLS=300 is the full run.
const kills = Number(process.env.AFTERIMAGE_TEST_KILLS ?? 12);

/** As it came over the wire: the rest is the client's own. */
type Plain = Omit<OpenAI.Responses.Response, 'output_text'>;

interface Turn extends Said {
  readonly response: Plain;
}

/** One client in one session, and what it knows of it. */
interface Lane {
  readonly kind: 'conversation' | 'chain';
  readonly streamed: boolean;
  readonly name: string;
  conversation?: string;
  /** Those whose last event or whole reply it saw. */
  readonly turns: Turn[];
  /** Asked, how often, and the end not seen. */
  cut?: { readonly input: string; readonly sent: number };
}

let lanes = 0;
const newLane = ({ kind, streamed }: Pick<Lane, 'kind' | 'streamed'>): Lane => ({
  kind,
  streamed,
  name: `lane ${++lanes}`,
  turns: [],
});

const clientOf = ({ url }: ServerRun): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });

/** Asks what was cut, as the client's own retries do, or the next question. */
async function takeTurn(lane: Lane, client: OpenAI): Promise<void> {
  if (lane.kind === 'conversation') lane.conversation ??= (await client.conversations.create({})).id;
  const { input, sent } = lane.cut ?? { input: `${lane.name}, turn ${lane.turns.length}`, sent: 0 };
  lane.cut = { input, sent: sent + 1 };
  const previous = lane.turns.at(-1)?.response.id;
  const body = {
    model,
    input,
    ...(lane.conversation !== undefined && { conversation: lane.conversation }),
    ...(lane.kind === 'chain' && previous !== undefined && { previous_response_id: previous }),
  };
  const options = { headers: { 'X-Stainless-Retry-Count': String(sent) } };
  const response = lane.streamed
    ? await lastOf(await client.responses.create({ ...body, stream: true }, options))
    : await client.responses.create(body, options);
  const answer = textOf(response);
  expect(answer).toBe(echoAfter(lane.turns, input));
  lane.turns.push({ input, answer, response: plain(response) });
  delete lane.cut;
}

async function lastOf(
  events: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>,
): Promise<OpenAI.Responses.Response> {
  for await (const event of events) if (event.type === 'response.completed') return event.response;
  throw new OpenAI.APIConnectionError({ message: 'the stream ended before its last event' });
}

const textOf = ({ output }: OpenAI.Responses.Response): string =>
  output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map(partText)
    .join('');
const partText = (part: object): string => ('text' in part ? String(part.text) : '');

/** Turn after turn until the server is gone; sessions that are long enough are left for new ones. */
async function talk(open: Lane[], at: number, left: Lane[], server: ServerRun): Promise<void> {
  const client = clientOf(server);
  for (;;) {
    let lane = open[at] as Lane;
    if (lane.turns.length === turnsPerSession && !lane.cut) {
      left.push(lane);
      lane = newLane(lane);
      open[at] = lane;
    }
    try {
      await takeTurn(lane, client);
    } catch (error) {
      // Only a lost connection is what a client must expect, and only from a server that was killed.
      const wasAnswered = error instanceof OpenAI.APIError && error.status !== undefined;
      const isAssertion = error instanceof Error && error.name === 'AssertionError';
      if (wasAnswered || isAssertion || !server.process.killed) throw error;
      return;
    }
  }
}

/** What a lane knows is there; of a turn that was cut there is all or nothing. Says whether it was committed. */
async function check(lane: Lane, client: OpenAI): Promise<boolean> {
  const last = lane.turns.at(-1);
  if (last) expect(plain(await client.responses.retrieve(last.response.id))).toEqual(last.response);
  const cut = lane.cut && [{ input: lane.cut.input, answer: echoAfter(lane.turns, lane.cut.input) }];
  if (lane.kind === 'chain') {
    if (!last) return false;
    const { turns } = await client.get<{ turns: number }>(`/sessions/${last.response.id}`);
    expect(turns - lane.turns.length, lane.name).toBeOneOf(cut ? [0, 1] : [0]);
    return turns > lane.turns.length;
  }
  if (lane.conversation === undefined) return false;
  const stored = await client.conversations.items.list(lane.conversation, { order: 'asc', limit: 100 });
  const texts = stored.data.map((item) =>
    item.type === 'message' ? item.content.map(partText).join('') : item,
  );
  const known = lane.turns.flatMap(({ input, answer }) => [input, answer]);
  const whole = cut ? [...known, ...cut.flatMap(({ input, answer }) => [input, answer])] : known;
  expect(texts).toEqual(texts.length > known.length ? whole : known);
  return texts.length > known.length;
}

const plain = ({ output_text: _text, ...told }: OpenAI.Responses.Response): Plain => told;

/** Every turn that was acknowledged, where it belongs, as it was told. */
async function checkAll(lane: Lane, client: OpenAI): Promise<void> {
  expect(await check(lane, client)).toBe(false);
  for (const [index, { response }] of lane.turns.entries()) {
    expect(plain(await client.responses.retrieve(response.id))).toEqual(response);
    const previous = lane.kind === 'chain' ? (lane.turns[index - 1]?.response.id ?? null) : null;
    expect(response.previous_response_id).toBe(previous);
  }
}

test(`${kills} kills at random moments: nothing acknowledged is lost, nothing doubled, nothing half there`, {
  timeout: 30_000 + kills * 5_000,
}, async () => {
  const folder = newFolder();
  const kinds = (['conversation', 'chain'] as const).flatMap((kind) =>
    [true, false].map((streamed) => ({ kind, streamed })),
  );
  const open = kinds.flatMap((kind) => Array.from({ length: lanesOfAKind }, () => newLane(kind)));
  const left: Lane[] = [];
  const acknowledged = () => [...left, ...open].reduce((sum, { turns }) => sum + turns.length, 0);
  const cuts = { committed: 0, all: 0 };
  for (let round = 0; round < kills; round++) {
    // Tokens that take time let it die in the middle of answers, others mostly around commits.
    const server = await start(folder, {
      flags: ['--log', 'error', '--scripted-delay-ms', `${(round % 3) * 2}`],
    });
    const client = clientOf(server);
    for (const lane of open) {
      const wasCommitted = await check(lane, client);
      if (lane.cut) cuts.all++;
      if (wasCommitted) cuts.committed++;
    }
    const talking = Promise.all(open.map((_, at) => talk(open, at, left, server)));
    // Right after its start, or when many turns have gone through.
    const enough = round % 2 === 0 ? 0 : acknowledged() + Math.random() * 60;
    while (acknowledged() < enough) await Promise.race([sleep(5), talking]);
    await Promise.race([sleep(Math.random() * (enough ? 20 : 250)), talking]);
    server.process.kill('SIGKILL');
    await talking;
    expect((await server.exit).signal).toBe('SIGKILL');
    expect(server.logs()).toEqual([]);
  }

  const server = await start(folder);
  const client = clientOf(server);
  for (const lane of open) if (lane.cut) await takeTurn(lane, client);
  const all = [...left, ...open].filter(({ turns }) => turns.length > 0);
  for (const lane of all) await checkAll(lane, client);
  // No session but those that are known has a turn: none was run twice, in another place.
  let found = 0;
  for (let after = ''; ; ) {
    const query = `limit=100${after && `&after=${after}`}`;
    const page = await client.get<SessionPage>(`/sessions?${query}`);
    found += page.data.filter(({ turns }) => turns > 0).length;
    if (!page.has_more) break;
    after = page.last_id;
  }
  expect(found).toBe(all.length);
  server.process.kill('SIGTERM');
  expect((await server.exit).code).toBe(0);
  const store = await openStore(join(folder, 'store'));
  expect(await store.checkIntegrity()).toEqual([]);
  await store.close();
  console.log(
    `${kills} kills: ${acknowledged()} turns in ${all.length} sessions; ${cuts.all} were cut, ${cuts.committed} of them after their commit`,
  );
});

interface SessionPage {
  readonly data: readonly { readonly turns: number }[];
  readonly last_id: string;
  readonly has_more: boolean;
}
