/**
 * Runs in a mount namespace of its own: an engine with its state on a volume of a few MiB (argv[2]), which somebody else fills and
 * frees again. Prints what happened as one JSON object; `test/state-disk-full.test.ts` says what should have.
 */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from '../../src/engine/engine.ts';
import { EngineDialogue, samplePicture } from './dialogueRun.ts';
import { silentLogger } from './silentLogger.ts';

const volume = process.argv[2] as string;
const ballast = join(volume, 'ballast');
const free = (): number => statfsSync(volume).bavail * statfsSync(volume).bsize;
const open = (): Promise<Engine> =>
  Engine.open(
    {
      gpu: 'off',
      visionWeightType: 'f16',
      // Room for one conversation: the others have to leave.
      kvCells: 512,
      stateCacheBytes: 0,
      stateFolder: join(volume, 'state'),
      reserveBytes: 2 ** 20,
    },
    silentLogger,
  );

let engine = await open();
const picture = await samplePicture('s01.png');
const dialogues = Array.from(
  { length: 4 },
  (_, index) => new EngineDialogue(`s${index}`, `You are ${index}.`),
);

/** Each asked in turn; what they say, and how the disk is when all writes have ended. */
async function round(question: string, withPicture = false) {
  const answers: string[] = [];
  for (const dialogue of dialogues) {
    answers.push((await dialogue.ask(engine, question, withPicture ? picture : undefined)).text);
  }
  await sleep(500);
  const { diskBytes, diskFailures } = await engine.stats();
  return { answers, diskBytes, failures: diskFailures };
}

await round('What is this?', true);
const before = await round('What colour is it?');
const histories = dialogues.map(({ history }) => history);
/** The same turn again, as a branch. */
const again = (): void => {
  for (const [index, history] of histories.entries()) (dialogues[index] as EngineDialogue).history = history;
};

for (let bytes = free(); bytes >= 4096; bytes = free()) {
  writeFileSync(ballast, new Uint8Array(bytes), { flag: 'a' });
}
const whileFull = await round('Is it in stock?');
rmSync(ballast);
// A disk that was full is left alone for a while.
await sleep(5_100);
again();
const afterwards = await round('Is it in stock?');

await engine.dispose();
engine = await open();
again();
await sleep(500);
const restarted = await (dialogues[0] as EngineDialogue).ask(engine, 'Is it in stock?');
await engine.dispose();

process.stdout.write(
  JSON.stringify({
    before,
    whileFull,
    afterwards,
    restarted: { tier: restarted.plan?.tier, answer: restarted.text },
  }),
);
