import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../src/cli/logger.ts';
import { table } from '../../src/cli/table.ts';
import type { ChatMessage, ContentPart, GenerateResult } from '../../src/core/request.ts';
import { imageSourceFromFile } from '../../src/images/load.ts';
import type { EngineProcess } from '../../src/inference/engineProcess.ts';
import { startNativeEngine } from '../../src/inference/nativeEngine.ts';
import { peakResidentBytes } from '../engine/environment.ts';

interface Dialogue {
  readonly system: string | null;
  readonly turns: readonly { user: string; image: string | null; gold: string }[];
}

/**
 * Three ways to hold the same dialogues with the same engine. `remembers`: a session, the picture sent once. `stateless`: the
 * whole history with its pictures sent each turn, nothing reused. `forgets`: only the last turn is sent.
 */
const ways = ['remembers', 'stateless', 'forgets'] as const;
type Way = (typeof ways)[number];

export interface BaselineFigures {
  readonly way: Way;
  readonly turns: number;
  readonly meanResponseMs: number;
  readonly meanFollowUpMs: number;
  readonly encoderCalls: number;
  /** Text and pictures as base64, as clients send them. */
  readonly uploadedBytes: number;
  readonly peakResidentBytes: number;
  /** Answers equal to the gold ones, and dialogues in which all are. */
  readonly rightAnswers: number;
  readonly rightDialogues: number;
}

const folder = fileURLToPath(new URL('../../test/fixtures/samples/', import.meta.url));

export async function runBaselines(onProgress: (line: string) => void): Promise<BaselineFigures[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const dialogues = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(folder + name, 'utf8')) as Dialogue),
  );
  const figures: BaselineFigures[] = [];
  for (const way of ways) {
    onProgress(
      `${dialogues.length} dialogues, a client that ${way === 'stateless' ? 'sends everything' : way}`,
    );
    const engine = startNativeEngine({}, createLogger('silent'));
    try {
      await engine.ready();
      figures.push(await hold(engine, way, dialogues));
    } finally {
      await engine.dispose();
    }
  }
  return figures;
}

async function hold(
  engine: EngineProcess,
  way: Way,
  dialogues: readonly Dialogue[],
): Promise<BaselineFigures> {
  const times: { ms: number; isFirst: boolean }[] = [];
  let uploadedBytes = 0;
  let rightAnswers = 0;
  let rightDialogues = 0;
  let requests = 0;
  for (const [index, { system, turns }] of dialogues.entries()) {
    const start: ChatMessage[] =
      system === null ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }];
    let history = start;
    let sent = system?.length ?? 0;
    let allRight = true;
    for (const [at, { user, image, gold }] of turns.entries()) {
      const content: ContentPart[] = [{ type: 'text', text: user }];
      let own = Buffer.byteLength(user);
      if (image !== null) {
        content.unshift({ type: 'image', image: await imageSourceFromFile(folder + image, 'auto') });
        own += Math.ceil((await stat(folder + image)).size / 3) * 4;
      }
      sent += own;
      const messages: ChatMessage[] = [...(way === 'forgets' ? start : history), { role: 'user', content }];
      uploadedBytes += way === 'stateless' ? sent : own;
      // What is no session's and another tenant's each time finds nothing to reuse.
      const owner =
        way === 'remembers' ? { tenant: 'bench', session: `s${index}` } : { tenant: `bench ${requests++}` };
      const started = performance.now();
      const result = await answer(engine, { ...owner, messages });
      times.push({ ms: performance.now() - started, isFirst: at === 0 });
      const { text, tokens } = result;
      history = [...messages, { role: 'assistant', content: [{ type: 'text', text }], tokens }];
      sent += Buffer.byteLength(text);
      if (text === gold) rightAnswers++;
      else allRight = false;
    }
    if (allRight) rightDialogues++;
  }
  const mean = (all: readonly { ms: number }[]): number =>
    all.reduce((sum, { ms }) => sum + ms, 0) / all.length;
  return {
    way,
    turns: times.length,
    meanResponseMs: mean(times),
    meanFollowUpMs: mean(times.filter(({ isFirst }) => !isFirst)),
    encoderCalls: (await engine.stats()).encoderCalls,
    uploadedBytes,
    peakResidentBytes: (await peakResidentBytes(engine.pid ?? 0)) ?? 0,
    rightAnswers,
    rightDialogues,
  };
}

async function answer(
  engine: EngineProcess,
  request: Parameters<EngineProcess['generate']>[0],
): Promise<GenerateResult> {
  for await (const event of engine.generate(request)) if (event.type === 'done') return event.result;
  throw new Error('an answer ended without a result');
}

export function baselineTable(figures: readonly BaselineFigures[]): string {
  const [ours] = figures;
  const change = (value: number, of: number): string => `${(100 * (of / value - 1)).toFixed(0)} %`;
  return table([
    [
      'CLIENT',
      'MEAN ms',
      'FOLLOW-UP ms',
      'OURS',
      'ENCODES',
      'UPLOADED KiB',
      'PEAK MiB',
      'RIGHT ANSWERS',
      'RIGHT DIALOGUES',
    ],
    ...figures.map((one) => [
      one.way,
      one.meanResponseMs.toFixed(1),
      one.meanFollowUpMs.toFixed(1),
      ours && one !== ours ? change(one.meanResponseMs, ours.meanResponseMs) : '',
      String(one.encoderCalls),
      (one.uploadedBytes / 1024).toFixed(0),
      (one.peakResidentBytes / 2 ** 20).toFixed(0),
      `${one.rightAnswers} of ${one.turns}`,
      String(one.rightDialogues),
    ]),
  ]);
}
