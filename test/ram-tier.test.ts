import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ChatMessage, ContentPart, GenerateResult } from '../src/core/request.ts';
import { Engine } from '../src/engine/engine.ts';
import { imageSourceFromFile } from '../src/images/load.ts';
import { silentLogger } from './helpers/silentLogger.ts';

interface Turn {
  readonly user: string;
  readonly image: string | null;
  readonly hf: string;
}

const folder = fileURLToPath(new URL('./fixtures/samples/', import.meta.url));
const dialogues = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(folder + name, 'utf8')) as { system: string | null; turns: Turn[] });
const turnCount = dialogues.reduce((sum, { turns }) => sum + turns.length, 0);

/** All dialogues at once, each turn of one after the same turn of the one before: by its next turn a dialogue had to go. */
async function answers(config: { kvCells: number; stateCacheBytes: number }) {
  const engine = await Engine.open({ gpu: 'off', visionWeightType: 'f16', ...config }, silentLogger);
  try {
    const histories = dialogues.map(({ system }): ChatMessage[] =>
      system === null ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }],
    );
    const results: GenerateResult[][] = dialogues.map(() => []);
    for (let at = 0; results.flat().length < turnCount; at++) {
      for (const [index, { turns }] of dialogues.entries()) {
        const turn = turns[at];
        const history = histories[index] as ChatMessage[];
        if (!turn) continue;
        const content: ContentPart[] = [{ type: 'text', text: turn.user }];
        if (turn.image)
          content.unshift({ type: 'image', image: await imageSourceFromFile(folder + turn.image, 'auto') });
        history.push({ role: 'user', content });
        for await (const event of engine.generate({ tenant: 't', messages: history })) {
          if (event.type !== 'done') continue;
          results[index]?.push(event.result);
          const { text, tokens } = event.result;
          history.push({ role: 'assistant', content: [{ type: 'text', text }], tokens });
        }
      }
    }
    return { results: results.flat(), stats: await engine.stats() };
  } finally {
    await engine.dispose();
  }
}

test('24 dialogues in a cache that holds a few: state comes back from memory, and no answer changes', {
  timeout: 240_000,
}, async () => {
  const expected = dialogues.flatMap(({ turns }) => turns.map(({ hf }) => hf));
  const tokensOf = ({ results }: { results: GenerateResult[] }) => results.map(({ tokens }) => tokens);
  const hot = await answers({ kvCells: 16_384, stateCacheBytes: 0 });
  const ram = await answers({ kvCells: 1024, stateCacheBytes: 2 ** 30 });
  const none = await answers({ kvCells: 1024, stateCacheBytes: 0 });
  for (const run of [hot, ram, none]) expect(run.results.map(({ text }) => text)).toEqual(expected);
  expect(tokensOf(ram)).toEqual(tokensOf(hot));
  expect(tokensOf(none)).toEqual(tokensOf(hot));

  expect([hot.stats.restoredSequences, none.stats.restoredSequences]).toEqual([0, 0]);
  const followUps = turnCount - dialogues.length;
  expect(ram.stats.restoredSequences).toBeGreaterThan(0.9 * followUps);
  const reused = ({ stats }: typeof hot) => stats.reusedTokens / stats.promptTokens;
  expect(reused(ram)).toBeGreaterThan(0.9 * reused(hot));
  expect(reused(none)).toBeLessThan(0.5 * reused(hot));
  const median = ({ results }: typeof hot) => {
    const times = results
      .filter(({ usage }) => usage.imagesEncoded === 0)
      .map(({ timings }) => timings.firstTokenMs);
    return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]?.toFixed(1);
  };
  console.log(
    `first token, median: hot ${median(hot)} ms, ram ${median(ram)} ms, recomputed ${median(none)} ms; ` +
      `${ram.stats.restoredSequences} restores, ${(ram.stats.stateBytes / 2 ** 20).toFixed(0)} MiB kept`,
  );
});
