import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../src/engine/engine.ts';
import { samplePicture } from './helpers/dialogueRun.ts';
import { silentLogger } from './helpers/silentLogger.ts';

let stateFolder: string;
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'feature-store-'));
});
afterEach(() => rmSync(stateFolder, { recursive: true }));

const open = () =>
  Engine.open({ gpu: 'off', visionWeightType: 'f16', kvCells: 1024, stateFolder }, silentLogger);

async function ask(engine: Engine, session: string | undefined, system: string): Promise<void> {
  const image = await samplePicture('s01.png');
  const of = session === undefined ? { tenant: 't' } : { tenant: 't', session };
  const events = engine.generate({
    ...of,
    messages: [
      { role: 'system', content: [{ type: 'text', text: system }] },
      { role: 'user', content: [{ type: 'image', image }] },
    ],
    maxOutputTokens: 1,
  });
  for await (const _ of events);
}

test('a picture that was encoded for a request without a session is not encoded again for the sessions that show it', async () => {
  const first = await open();
  await ask(first, undefined, 'one');
  await ask(first, 's', 'one');
  expect((await first.stats()).encoderCalls).toBe(1);
  await first.dispose();
  const second = await open();
  await ask(second, 's', 'another');
  const { encoderCalls } = await second.stats();
  await second.dispose();
  expect(encoderCalls).toBe(0);
});

test('features that are all that is left of a picture are shown with their session', async () => {
  const engine = await Engine.open(
    { gpu: 'off', visionWeightType: 'f16', kvCells: 512, stateCacheBytes: 0 },
    silentLogger,
  );
  await ask(engine, 's', 'one');
  const kinds = async () => (await engine.stateTree('t', 's')).map(({ kind, tiers }) => ({ kind, tiers }));
  expect((await kinds()).some(({ tiers }) => 'hot' in tiers)).toBe(true);
  await ask(engine, 'other', 'word '.repeat(180));
  const [node, ...others] = await engine.stateTree('t', 's');
  expect(others).toEqual([]);
  expect(node).toMatchObject({ parent: null, kind: 'image', tiers: { features: expect.any(Number) } });
  const { width, height } = await samplePicture('s01.png');
  expect(node?.tokens).toBe((width * height) / 32 ** 2);
  expect(await engine.stateTree('t', 'nobody')).toEqual([]);
  await engine.dispose();
});
