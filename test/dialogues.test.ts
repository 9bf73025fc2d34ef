import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCli } from './helpers/cli.ts';

interface Sample {
  readonly system: string | null;
  readonly turns: readonly { user: string; image: string | null; gold: string; hf: string }[];
}

const folder = fileURLToPath(new URL('./fixtures/samples/', import.meta.url));
const samples = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name): Sample => JSON.parse(readFileSync(folder + name, 'utf8')));

/** One chat process for all samples with the same system text, a reset between two. */
async function answersOf(system: string | null): Promise<[sample: Sample, answers: string[]][]> {
  const group = samples.filter((sample) => sample.system === system);
  const lines = group.flatMap(({ turns }) => [
    ...turns.flatMap(({ user, image }) => (image ? [`/image ${folder}${image}`, user] : [user])),
    '/reset',
  ]);
  const args = [
    'chat',
    '--json',
    '--vision-weights',
    'f16',
    ...(system === null ? [] : ['--system', system]),
  ];
  const { code, stdout } = await runCli(args, { input: lines.join('\n') });
  expect(code).toBe(0);
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).answer as string);
  return group.map((sample) => [sample, answers.splice(0, sample.turns.length)]);
}

test('the sample dialogues through the command line: every answer equals the reference’s', {
  timeout: 180_000,
}, async () => {
  const results = [];
  for (const system of new Set(samples.map((sample) => sample.system)))
    results.push(...(await answersOf(system)));
  const turns = results.flatMap(([{ turns }, answers]) =>
    turns.map((turn, index) => ({ turn, answer: answers[index] })),
  );
  expect(turns).toHaveLength(146);
  expect(turns.filter(({ turn, answer }) => answer !== turn.hf)).toEqual([]);

  const share = (right: number): number => (100 * right) / turns.length;
  const accuracy = share(turns.filter(({ turn, answer }) => answer === turn.gold).length);
  const reference = share(turns.filter(({ turn }) => turn.hf === turn.gold).length);
  console.log(
    `accuracy ${accuracy.toFixed(1)} % of ${turns.length} answers, reference ${reference.toFixed(1)} %`,
  );
  expect(Math.abs(accuracy - reference)).toBeLessThanOrEqual(1);
});
