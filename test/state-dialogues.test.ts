import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { EngineConfig } from '../src/engine/config.ts';
import { Engine } from '../src/engine/engine.ts';
import { EngineDialogue, sampleDialogues, samplePicture } from './helpers/dialogueRun.ts';
import { preferFewestTokens } from './helpers/preferFewestTokens.ts';
import { silentLogger } from './helpers/silentLogger.ts';

preferFewestTokens();

const openEngine = (config: EngineConfig): Promise<Engine> =>
  Engine.open({ gpu: 'off', visionWeightType: 'f16', ...config }, silentLogger);

/** Numbers from 0 up to a bound, the same at each run (Numerical Recipes' linear congruence). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const questions = sampleDialogues.flatMap(({ turns }) =>
  turns.filter(({ image }) => image === null).map(({ user }) => user),
);
const pictures = sampleDialogues.flatMap(({ turns }) => turns.flatMap(({ image }) => image ?? []));

interface Step {
  readonly dialogue: number;
  readonly text: string;
  readonly picture?: string;
  /** Turns that are taken back before this one: an answer said anew, or a question asked otherwise. */
  readonly back: number;
}

/** Steps of so many dialogues, woven into one another. */
function weave(count: number, random: (below: number) => number): Step[] {
  const open = Array.from({ length: count }, (_, dialogue) => ({ dialogue, said: 0, left: 3 + random(2) }));
  const steps: Step[] = [];
  while (open.length > 0) {
    const index = random(Math.min(open.length, 12));
    const one = open[index] as (typeof open)[number];
    const withPicture = one.said === 0 || random(5) === 0;
    const back = one.said > 1 && random(4) === 0 ? 1 + random(one.said - 1) : 0;
    steps.push({
      dialogue: one.dialogue,
      text: questions[random(questions.length)] as string,
      ...(withPicture && { picture: pictures[random(pictures.length)] as string }),
      back,
    });
    one.said += 1 - back;
    one.left--;
    if (one.left === 0) open.splice(index, 1);
  }
  return steps;
}

async function play(steps: readonly Step[], config: EngineConfig, restartEvery: number): Promise<string[]> {
  let engine = await openEngine(config);
  const dialogues = new Map<number, { dialogue: EngineDialogue; histories: EngineDialogue['history'][] }>();
  const answers: string[] = [];
  try {
    for (const [index, { dialogue: number, text, picture, back }] of steps.entries()) {
      if (restartEvery > 0 && index % restartEvery === restartEvery - 1) {
        await engine.dispose();
        engine = await openEngine(config);
      }
      const one = dialogues.get(number) ?? {
        dialogue: new EngineDialogue(`s${number}`, null),
        histories: [],
      };
      dialogues.set(number, one);
      for (let taken = 0; taken < back; taken++) one.dialogue.history = one.histories.pop() ?? [];
      one.histories.push(one.dialogue.history);
      const image = picture === undefined ? undefined : await samplePicture(picture);
      const { tokens } = await one.dialogue.ask(engine, text, image);
      answers.push(JSON.stringify([number, tokens]));
    }
    return answers;
  } finally {
    await engine.dispose();
  }
}

/** 200 take two to four minutes. */
const count = Number(process.env.AFTERIMAGE_TEST_DIALOGUES ?? 60);

test(`${count} dialogues with branches, second pictures, demotions and restarts answer token for token as from the cache alone`, {
  timeout: 600_000,
}, async () => {
  const steps = weave(count, randomNumbers(20_261_127));
  const folder = mkdtempSync(join(tmpdir(), 'state-dialogues-'));
  try {
    const hot = await play(steps, { kvCells: 16_384, stateCacheBytes: 0, hotIdleMs: 2 ** 31 }, 0);
    const config = { kvCells: 1024, stateCacheBytes: 2 ** 20, stateFolder: folder };
    expect(await play(steps, config, 97)).toEqual(hot);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
