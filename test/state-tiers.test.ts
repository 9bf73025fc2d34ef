import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GenerateResult } from '../src/core/request.ts';
import type { EngineConfig } from '../src/engine/config.ts';
import { Engine } from '../src/engine/engine.ts';
import { EngineDialogue, sampleDialogues, samplePicture } from './helpers/dialogueRun.ts';
import { preferFewestTokens } from './helpers/preferFewestTokens.ts';
import { silentLogger } from './helpers/silentLogger.ts';

preferFewestTokens();

const turnCount = sampleDialogues.reduce((sum, { turns }) => sum + turns.length, 0);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-tiers-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const openEngine = (config: EngineConfig): Promise<Engine> =>
  Engine.open({ gpu: 'off', visionWeightType: 'f16', ...config }, silentLogger);

/** All dialogues at once, each turn of one after the same turn of the one before: by its next turn a dialogue had to go. */
async function runAll(
  config: EngineConfig,
  between: (engine: Engine) => Promise<Engine> = async (e) => e,
  samples = sampleDialogues,
) {
  let engine = await openEngine(config);
  try {
    const dialogues = samples.map(({ system }, index) => new EngineDialogue(`s${index}`, system));
    const longest = Math.max(...samples.map(({ turns }) => turns.length));
    for (let at = 0; at < longest; at++) {
      for (const [index, { turns }] of samples.entries()) {
        const turn = turns[at];
        if (!turn) continue;
        const image = turn.image === null ? undefined : await samplePicture(turn.image);
        await dialogues[index]?.ask(engine, turn.user, image);
      }
      engine = await between(engine);
    }
    return { results: dialogues.flatMap(({ results }) => results), stats: await engine.stats() };
  } finally {
    await engine.dispose();
  }
}

type Run = Awaited<ReturnType<typeof runAll>>;
const tokensOf = ({ results }: Run): (readonly number[])[] => results.map(({ tokens }) => tokens);
const tiersOf = ({ results }: Run): Record<string, number> => {
  const tiers: Record<string, number> = {};
  for (const { plan } of results) tiers[plan?.tier ?? '?'] = (tiers[plan?.tier ?? '?'] ?? 0) + 1;
  return tiers;
};
const medianFirstToken = ({ results }: Run): string => {
  const followUps = results.filter(({ usage }) => usage.imagesEncoded === 0);
  const times = followUps.map(({ timings }: GenerateResult) => timings.firstTokenMs).sort((a, b) => a - b);
  return (times[Math.floor(times.length / 2)] as number).toFixed(1);
};

test('24 dialogues: from memory, from disk and after a restart at every turn no answer changes', {
  timeout: 400_000,
}, async () => {
  const hot = await runAll({ kvCells: 16_384, stateCacheBytes: 0 });
  expect(hot.results.map(({ text }) => text)).toEqual(
    sampleDialogues.flatMap(({ turns }) => turns.map(({ hf }) => hf)),
  );
  const small = { kvCells: 1024 };
  const none = await runAll({ ...small, stateCacheBytes: 0 });
  const ram = await runAll({ ...small, stateCacheBytes: 2 ** 30 });
  const disk = await runAll({ ...small, stateCacheBytes: 0, stateFolder: join(folder, 'disk') });
  const config = { kvCells: 16_384, stateCacheBytes: 2 ** 30, stateFolder: join(folder, 'restart') };
  const restarted = await runAll(config, async (engine) => {
    await engine.dispose();
    return openEngine(config);
  });
  for (const run of [none, ram, disk, restarted]) expect(tokensOf(run)).toEqual(tokensOf(hot));

  console.log(
    `first token of a follow-up, median ms: hot ${medianFirstToken(hot)}, ram ${medianFirstToken(ram)}, ` +
      `disk ${medianFirstToken(disk)}, after a restart ${medianFirstToken(restarted)}, computed again ${medianFirstToken(none)}; ` +
      `tiers ${JSON.stringify([hot, ram, disk, restarted, none].map(tiersOf))}`,
  );

  const followUps = turnCount - sampleDialogues.length;
  expect(tiersOf(hot).hot).toBeGreaterThanOrEqual(followUps);
  expect(tiersOf(ram).ram).toBeGreaterThan(0.9 * followUps);
  expect(tiersOf(disk).disk).toBeGreaterThan(0.9 * followUps);
  // Dialogues that begin alike find that beginning hot again; the shortest ones are not worth a file.
  expect(tiersOf(restarted).disk).toBeGreaterThan(0.8 * followUps);
  const reused = ({ stats }: Run): number => stats.reusedTokens / stats.promptTokens;
  for (const run of [ram, disk]) expect(reused(run)).toBeGreaterThan(0.9 * reused(hot));
  expect(reused(none)).toBeLessThan(0.5 * reused(hot));
  for (const { stats } of [ram, disk, restarted]) {
    expect([stats.lostCheckpoints, stats.diskFailures]).toEqual([0, 0]);
  }
});

test.each(['q8_0', 'q4_0'] as const)(
  'a cache of %s comes back from memory and from disk as it was',
  {
    timeout: 400_000,
  },
  async (kvType) => {
    const some = sampleDialogues.slice(0, 8);
    const run = (config: EngineConfig): Promise<Run> => runAll({ ...config, kvType }, undefined, some);
    const hot = await run({ kvCells: 8_192, stateCacheBytes: 0 });
    const ram = await run({ kvCells: 512, stateCacheBytes: 2 ** 30 });
    const disk = await run({ kvCells: 512, stateCacheBytes: 0, stateFolder: join(folder, 'disk') });
    for (const other of [ram, disk]) expect(tokensOf(other)).toEqual(tokensOf(hot));
    expect([tiersOf(ram).ram, tiersOf(disk).disk].every((count = 0) => count > some.length)).toBe(true);
  },
);
