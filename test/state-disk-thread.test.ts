import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, expect, test, vi } from 'vitest';
import { Engine } from '../src/engine/engine.ts';
import { EngineDialogue, samplePicture } from './helpers/dialogueRun.ts';
import { preferFewestTokens } from './helpers/preferFewestTokens.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const threads = vi.hoisted(() => [] as Worker[]);
vi.mock('node:worker_threads', async (original) => {
  const actual = await original<typeof import('node:worker_threads')>();
  class WatchedWorker extends actual.Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      threads.push(this);
    }
  }
  return { ...actual, Worker: WatchedWorker };
});

preferFewestTokens();

const folder = mkdtempSync(join(tmpdir(), 'state-disk-thread-'));
afterAll(() => rmSync(folder, { recursive: true }));
const open = (): Promise<Engine> =>
  Engine.open(
    { gpu: 'off', visionWeightType: 'f16', kvCells: 1024, stateCacheBytes: 0, stateFolder: folder },
    silentLogger,
  );

test('when the thread of the disk dies answers go on without it, and the next engine has it again', async () => {
  let engine = await open();
  const picture = await samplePicture('s01.png');
  const dialogue = new EngineDialogue('a', null);
  await dialogue.ask(engine, 'What is the brand?', picture);
  const others = Array.from({ length: 6 }, (_, index) => new EngineDialogue(`other${index}`, null));
  const crowdOut = async (): Promise<void> => {
    for (const other of others) await other.ask(engine, `${'word '.repeat(150)}Hello.`);
  };
  await crowdOut();
  await expect.poll(async () => (await engine.stats()).diskBytes).toBeGreaterThan(0);
  expect((await dialogue.ask(engine, '多少钱？')).plan?.tier).toBe('disk');

  expect(threads).toHaveLength(1);
  await threads[0]?.terminate();
  await crowdOut();
  const after = await dialogue.ask(engine, 'Is it in stock?');
  expect(after.plan?.tier).not.toBe('disk');
  // It can't be wiped from the disk now: whoever owns the session has it forgotten after the next start.
  await expect(engine.forget('t', 'other0')).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect((await engine.stats()).diskFailures).toBeGreaterThan(0);
  await engine.dispose();

  const control = await Engine.open({ gpu: 'off', visionWeightType: 'f16', kvCells: 4096 }, silentLogger);
  const same = new EngineDialogue('a', null);
  for (const text of ['What is the brand?', '多少钱？', 'Is it in stock?']) {
    await same.ask(control, text, same.results.length === 0 ? picture : undefined);
  }
  expect(dialogue.results.map(({ tokens }) => tokens)).toEqual(same.results.map(({ tokens }) => tokens));
  await control.dispose();

  engine = await open();
  await expect.poll(async () => (await engine.stats()).checkpoints).toBeGreaterThan(0);
  expect(await engine.heldSessions()).toContainEqual({ tenant: 't', session: 'other0' });
  expect((await dialogue.ask(engine, 'Is it in stock?')).plan?.tier).toBe('disk');
  await engine.dispose();
});
