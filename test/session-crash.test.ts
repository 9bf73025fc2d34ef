import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { failpoints } from '../src/session/turnParts.ts';
import type { TurnRequest } from '../src/session/turnRequest.ts';
import type { SessionChildTask } from './helpers/sessionChild.ts';
import { ask, type Finished, openSessions, responsesIn, say } from './helpers/sessions.ts';

const entry = new URL('./helpers/sessionChild.ts', import.meta.url).pathname;
/** Spares most children the compilation of their TypeScript. */
const compileCache = mkdtempSync(join(tmpdir(), 'session-crash-cache-'));
afterAll(() => rmSync(compileCache, { recursive: true }));

interface Child {
  /** What it acknowledged before it died. */
  readonly finished: Finished[];
  readonly signal: NodeJS.Signals | null;
}

async function runChild(
  task: SessionChildTask,
  killWhen?: (acknowledged: Promise<void>) => Promise<void>,
): Promise<Child> {
  const child = spawn(process.execPath, [entry, JSON.stringify(task)], {
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const { promise: acknowledged, resolve } = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    resolve();
  });
  const closed = once(child, 'close');
  if (killWhen) {
    await killWhen(acknowledged);
    child.kill('SIGKILL');
  }
  const [, signal] = await closed;
  // A line cut by the kill was acknowledged to nobody.
  const lines = output.split('\n').slice(0, -1);
  return { finished: lines.map((line) => JSON.parse(line)), signal };
}

const newFolder = () => mkdtempSync(join(tmpdir(), 'session-crash-'));
const cases = failpoints.flatMap((killAt) => [
  { killAt, starts: 'a session', keyed: true },
  { killAt, starts: 'a session', keyed: false },
  { killAt, starts: 'a branch', keyed: true },
  { killAt, starts: 'a branch', keyed: false },
]);
/** An unkeyed turn on a session has no pointer to claim. */
const reachable = cases.filter(
  ({ killAt, starts, keyed }) => killAt !== 'pointer-claimed' || keyed || starts === 'a session',
);

test('killed at any step a turn is lost or kept whole, and a retry makes it one', {
  timeout: 60_000,
}, async () => {
  for (const { killAt, starts, keyed } of reachable) {
    const name = `${killAt}, ${starts}, ${keyed ? 'keyed' : 'unkeyed'}`;
    const folder = newFolder();
    const before = await openSessions({}, folder);
    const { blobId } = await before.manager.files.putPicture('acme', Buffer.from('a picture'));
    const root = await ask(before.manager, { input: say('root') });
    await before.manager.stop(0);
    await before.store.close();

    const base = starts === 'a branch' ? { previousResponseId: root.response.id } : {};
    const key = keyed ? { idempotencyKey: 'k' } : {};
    const request: TurnRequest = { input: say('again', { blobId }), ...base, ...key };
    const died = await runChild({ folder, killAt, requests: [{ input: say('warm-up') }, request] });
    expect(died.signal, name).toBe('SIGKILL');
    expect(died.finished, name).toHaveLength(1);

    const after = await openSessions({}, folder);
    const { manager, store } = after;
    manager.start();
    expect(await store.checkIntegrity(), name).toEqual([]);
    const [warmUp] = died.finished;
    expect(await manager.responses.get('acme', warmUp?.response.id ?? ''), name).toEqual(warmUp?.response);
    expect(await manager.responses.get('acme', root.response.id), name).toEqual(root.response);
    const retried = await ask(manager, { ...request, retryCount: 1 });
    expect(retried.replayed, name).toBe(killAt === 'committed');
    expect(retried.session?.version, name).toBe(starts === 'a branch' ? 2 : 1);
    const again = await ask(manager, { ...request, retryCount: 2 });
    expect(again.replayed, name).toBe(true);
    expect(again.response, name).toEqual(retried.response);
    expect(await responsesIn(store, retried.response.id), name).toBe(starts === 'a branch' ? 2 : 1);
    const answered = await ask(manager, { input: say('and?'), previousResponseId: retried.response.id });
    expect(answered.response.result?.usage.imagesEncoded, name).toBe(killAt === 'committed' ? 1 : 0);
    expect(after.problems, name).toEqual([]);
    await after.close();
  }
});

test('killed at random moments under load no acknowledged turn is lost or doubled', {
  timeout: 60_000,
}, async () => {
  const folder = newFolder();
  const acknowledged = new Map<string, Finished>();
  for (let kill = 0; kill < 10; kill++) {
    const { finished } = await runChild({ folder, load: 5 }, async (first) => {
      await first;
      await sleep(Math.random() * 150);
    });
    for (const turn of finished) acknowledged.set(turn.response.id, turn);
  }
  const { manager, store, problems, close } = await openSessions({}, folder);
  const starting = performance.now();
  manager.start();
  expect(performance.now() - starting).toBeLessThan(2_000);
  expect(await store.checkIntegrity()).toEqual([]);
  const newest = new Map<string, number>();
  for (const [id, { response, session }] of acknowledged) {
    expect(await manager.responses.get('acme', id)).toEqual(response);
    const conversation = response.conversationId ?? '';
    newest.set(conversation, Math.max(newest.get(conversation) ?? 0, session?.version ?? 0));
  }
  for (const [conversation, version] of newest) {
    const texts: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await manager.conversations.items('acme', conversation, {
        order: 'asc',
        limit: 100,
        ...(after && { after }),
      });
      for (const item of page.data) {
        if (item.type !== 'message' || item.role !== 'user') continue;
        texts.push(item.content.map((part) => ('text' in part ? part.text : '')).join(''));
      }
      if (!page.hasMore) break;
      after = page.data.at(-1)?.id;
    }
    expect(texts).toEqual(texts.map((_, n) => `${conversation} ${n}`));
    // The turn under way may have been committed without anybody hearing of it.
    expect([version, version + 1]).toContain(texts.length);
    const next = await ask(manager, { input: say('go on'), conversationId: conversation });
    expect(next.session?.version).toBe(texts.length + 1);
  }
  // Each life has five conversations, and was killed after the first turn of at least one.
  expect(newest.size).toBeGreaterThanOrEqual(10);
  expect(problems).toEqual([]);
  await close();
});
