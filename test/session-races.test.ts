import { expect, test } from 'vitest';
import { AfterimageError, errorTable } from '../src/core/errors.ts';
import { SessionManager } from '../src/session/sessionManager.ts';
import { failpoints } from '../src/session/turnParts.ts';
import type { TurnRequest } from '../src/session/turnRequest.ts';
import { fixtures } from './helpers/sessionFixtures.ts';
import {
  ask,
  type Finished,
  type Fixture,
  responsesIn,
  say,
  stalling,
  uploadKey,
} from './helpers/sessions.ts';

const fixture = fixtures();

/** The same sequence in every run, so that a failure can be looked at again. (Numerical Recipes' LCG.) */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const racesPerSession = 20;

test('of 2 to 20 turns at once on a conversation exactly one commits, 1,600 times', async () => {
  const { manager } = await fixture({ config: { leaseWaitMs: 0 } });
  const roll = dice(1);
  for (let round = 0; round < 1_600 / racesPerSession; round++) {
    const { id } = await manager.conversations.create('acme', {});
    for (let race = 1; race <= racesPerSession; race++) {
      const racers = Array.from({ length: 2 + roll(19) }, (_, n) =>
        ask(manager, { input: say(`${race}/${n}`), conversationId: id }),
      );
      const outcomes = await Promise.allSettled(racers);
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
      expect(won.map(({ session }) => session?.version)).toEqual([race]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'session_busy' });
      }
    }
    expect((await manager.conversations.items('acme', id, { limit: 100 })).data).toHaveLength(
      2 * racesPerSession,
    );
  }
});

test('of turns at once on three nodes no two commit the same version, 400 times', async () => {
  const shared = { config: { exclusiveStore: false, leaseWaitMs: 0 } };
  const { manager, store, engine, intake, problems } = await fixture(shared);
  const other = () =>
    new SessionManager({
      store,
      engine,
      intake,
      uploadKey,
      ...shared,
      onProblem: (error) => problems.push(error),
    });
  const nodes = [manager, other(), other()];
  const roll = dice(2);
  const losses = new Set<string>();
  let committed = 0;
  for (let round = 0; round < 400 / racesPerSession; round++) {
    const { id } = await manager.conversations.create('acme', {});
    const versions: (number | undefined)[] = [];
    for (let race = 1; race <= racesPerSession; race++) {
      const racers = Array.from({ length: 2 + roll(19) }, async (_, n) => {
        for (let wait = roll(30); wait > 0; wait--) await Promise.resolve();
        return ask(nodes[roll(3)] as SessionManager, { input: say(`${race}/${n}`), conversationId: id });
      });
      for (const outcome of await Promise.allSettled(racers)) {
        if (outcome.status === 'fulfilled') versions.push(outcome.value.session?.version);
        else losses.add(outcome.reason.code);
      }
    }
    committed += versions.length;
    expect(versions.sort((a = 0, b = 0) => a - b)).toEqual(versions.map((_, index) => index + 1));
    const items = await manager.conversations.items('acme', id, { limit: 100 });
    expect(items.data.length + (items.hasMore ? 1 : 0)).toBe(Math.min(2 * versions.length, 101));
  }
  expect(committed).toBeGreaterThanOrEqual(400);
  expect([...losses].sort()).toEqual(['session_busy', 'version_conflict']);
  expect(problems).toEqual([]);
});

test('branches asked for at once wait for each other and all commit, in order', async () => {
  const { manager } = await fixture();
  const root = await ask(manager, { input: say('root') });
  const branches = Array.from({ length: 10 }, (_, n) =>
    ask(manager, { input: say(`${n}`), previousResponseId: root.response.id }),
  );
  const versions = (await Promise.all(branches)).map(({ session }) => session?.version);
  expect(versions).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('a turn that waited for its conversation goes on from what the other left', async () => {
  const { manager, engine } = await fixture();
  const { id } = await manager.conversations.create('acme', {});
  const turns = Array.from({ length: 5 }, (_, n) => ask(manager, { input: say(`${n}`), conversationId: id }));
  const versions = (await Promise.all(turns)).map(({ session }) => session?.version);
  expect(versions).toEqual([1, 2, 3, 4, 5]);
  const seen = engine.calls.map((call) => ('request' in call ? call.request.messages.length : 0));
  expect(seen).toEqual([1, 3, 5, 7, 9]);
});

test('a turn waits for another one only so long, and not once its reader has left', async () => {
  const { manager } = await fixture({ engine: stalling(1), config: { leaseWaitMs: 30, branchWaitMs: 30 } });
  const { id } = await manager.conversations.create('acme', {});
  const running = manager.respond('acme', { input: say('a'), conversationId: id });
  await running.next();
  const late = ask(manager, { input: say('b'), conversationId: id });
  await expect(late).rejects.toMatchObject({ code: 'session_busy' });
  const controller = new AbortController();
  const left = ask(manager, { input: say('c'), conversationId: id }, { signal: controller.signal });
  controller.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  await running.return?.();
});

class ConnectionLost extends Error {}

/** As official clients do: again while the error says that a retry helps, or the connection was lost. */
async function withRetries(manager: SessionManager, request: TurnRequest): Promise<Finished> {
  for (let retryCount = 0; ; retryCount++) {
    try {
      return await ask(manager, { ...request, retryCount });
    } catch (error) {
      if (error instanceof ConnectionLost) continue;
      if (!(error instanceof AfterimageError && errorTable[error.code].retry)) throw error;
      await new Promise(setImmediate);
    }
  }
}

test('of 2,000 turns whose client must try again none is doubled', async () => {
  const roll = dice(3);
  let failAt: string | undefined;
  const failpoint = (name: string) => {
    if (name !== failAt) return;
    failAt = undefined;
    throw new ConnectionLost(name);
  };
  const { manager, store, problems } = await fixture({ failpoint });
  const seen = new Set<string>();
  let base = await newBase(manager);
  for (let n = 0; n < 2_000; n++) {
    if (n % 20 === 0) base = await newBase(manager);
    const place = [{}, { previousResponseId: base.response }, { conversationId: base.conversation }][roll(3)];
    const keyed = roll(2) === 0;
    const key = keyed ? { idempotencyKey: `key ${n}` } : {};
    const request: TurnRequest = { input: say(`turn ${n}`), ...place, ...key };
    // `pointer-claimed` is no step of an unkeyed turn on a session: then nothing fails, and nothing is tried again.
    failAt = failpoints[roll(failpoints.length)] as string;
    seen.add(failAt);
    const committed = (await manager.stats()).commits;
    const inParallel = keyed && roll(4) === 0;
    const replies = await Promise.all(
      Array.from({ length: inParallel ? 3 : 1 }, () => withRetries(manager, request)),
    );
    failAt = undefined;
    replies.push(await ask(manager, { ...request, retryCount: 1 }));
    expect(replies.at(-1)?.replayed).toBe(true);
    expect(new Set(replies.map(({ response }) => JSON.stringify(response))).size, `turn ${n}`).toBe(1);
    expect((await manager.stats()).commits, `turn ${n}`).toBe(committed + 1);
  }
  expect(seen.size).toBe(failpoints.length);
  expect(problems).toEqual([]);
  // What is stored agrees with what was counted: no session was left behind by a turn that didn't come through.
  expect((await manager.stats()).commits).toBe(await totalResponses(store));
});

async function newBase(manager: SessionManager): Promise<{ response: string; conversation: string }> {
  const { response } = await ask(manager, { input: say('base') });
  return { response: response.id, conversation: (await manager.conversations.create('acme', {})).id };
}

async function totalResponses(store: Fixture['store']): Promise<number> {
  let total = 0;
  for (const { key } of await store.records.list('acme', 'session', { limit: 100_000 })) {
    total += await responsesIn(store, `resp_${key.id}1`);
  }
  return total;
}

test('the same key with another request is refused, other tenants have keys of their own', async () => {
  const { manager } = await fixture();
  const request = { input: say('a'), idempotencyKey: 'k' };
  const first = await ask(manager, request);
  await expect(ask(manager, { ...request, input: say('b') })).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
  const foreign = await ask(manager, { ...request, input: say('b') }, { tenant: 'other' });
  expect(foreign.replayed).toBe(false);
  expect((await ask(manager, request)).response).toEqual(first.response);
});

test('without a key and a mark the same request is another turn', async () => {
  const { manager } = await fixture();
  const a = await ask(manager, { input: say('a') });
  const b = await ask(manager, { input: say('a') });
  expect(b.response.id).not.toBe(a.response.id);
  expect(b.replayed).toBe(false);
});

test('a retry while the turn runs is told so', async () => {
  const { manager } = await fixture({
    failpoint: (name) =>
      name === 'generated' ? new Promise((resolve) => setTimeout(resolve, 50)) : undefined,
  });
  const request = { input: say('a'), idempotencyKey: 'k' };
  const running = ask(manager, request);
  await expect.poll(async () => (await manager.stats()).sessions).toBe(1);
  await expect(ask(manager, request)).rejects.toMatchObject({ code: 'idempotency_in_progress' });
  expect((await ask(manager, { ...request, idempotencyKey: 'other' })).replayed).toBe(false);
  await running;
});
