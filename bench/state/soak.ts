import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../src/cli/logger.ts';
import { table } from '../../src/cli/table.ts';
import type { EngineConfig } from '../../src/engine/config.ts';
import type { EngineProcess } from '../../src/inference/engineProcess.ts';
import { startNativeEngine } from '../../src/inference/nativeEngine.ts';
import { peakResidentBytes } from '../engine/environment.ts';
import { SoakDialogue } from './soakDialogue.ts';

/** Room for a few of the sessions only: all others live on disk. */
const tight: EngineConfig = { kvCells: 4096, stateCacheBytes: 64 * 2 ** 20, featureCacheBytes: 16 * 2 ** 20 };
const clients = 4;
const suspendMs = 60_000;

/**
 * Rows of a batch are computed by other kernels than a row alone, and round otherwise: where two tokens are as good as equally likely
 * the answer can turn out either way.
 */
interface OtherAnswer {
  readonly session: number;
  readonly turn: number;
  readonly alone: string;
  readonly together: string;
  /** Alone it says the same as soon as its first other token is made less likely by `tieLogits`. */
  readonly isNearTie: boolean;
}

const tieLogits = 0.05;

export interface SoakFigures {
  readonly sessions: number;
  readonly turns: number;
  /** Answers whose tokens are not those the session gives alone. */
  readonly otherAnswers: readonly OtherAnswer[];
  /** Answers that tell another session's secret, and sessions that told their own when asked. */
  readonly foreignSecrets: number;
  readonly ownSecrets: number;
  readonly encoderCalls: number;
  /** Share of later turns that began with the session's state. */
  readonly stateHitRate: number;
  readonly tiers: Readonly<Record<string, number>>;
  readonly peakResidentBytes: number;
  readonly diskBytes: number;
  readonly lostCheckpoints: number;
  /** From start to ready, with nothing on disk and with all sessions. */
  readonly readyEmptyMs: number;
  readonly readyFullMs: number;
  /** Of the last turns, which were said after a restart. */
  readonly resumedFromDisk: number;
  readonly seconds: number;
}

/** Sessions by the thousand on one engine, in random order, against each of them alone; the last turn after a restart. */
export async function runSoak(
  { sessions }: { sessions: number },
  onProgress: (line: string) => void,
): Promise<SoakFigures> {
  const started = performance.now();
  onProgress(`${sessions} sessions, one after the other`);
  const alone = await withEngine({}, suspendMs, async (engine) => {
    const all: SoakDialogue[] = [];
    for (let index = 0; index < sessions; index++) {
      const dialogue = new SoakDialogue(index);
      while (!dialogue.isOver) await dialogue.ask(engine, `alone ${index}`);
      await engine.forget(`alone ${index}`);
      all.push(dialogue);
    }
    return all;
  });
  const folder = await mkdtemp(join(tmpdir(), 'afterimage-soak-'));
  try {
    const config = { ...tight, stateFolder: folder, suspendMs };
    const dialogues = Array.from({ length: sessions }, (_, index) => new SoakDialogue(index));
    onProgress(`${sessions} sessions at once`);
    let readyEmptyMs = 0;
    const first = await withEngine(config, suspendMs, async (engine, readyMs) => {
      readyEmptyMs = readyMs;
      await interleave(engine, dialogues, SoakDialogue.turnCount - 1);
      const stats = await engine.stats();
      return { stats, peak: (await peakResidentBytes(engine.pid ?? 0)) ?? 0 };
    });
    onProgress('after a restart');
    let readyFullMs = 0;
    const second = await withEngine(config, suspendMs, async (engine, readyMs) => {
      readyFullMs = readyMs;
      await interleave(engine, dialogues, SoakDialogue.turnCount);
      const stats = await engine.stats();
      return { stats, peak: (await peakResidentBytes(engine.pid ?? 0)) ?? 0 };
    });
    const results = dialogues.flatMap((dialogue, index) =>
      dialogue.results.map((result, turn) => ({
        result,
        turn,
        dialogue,
        expected: alone[index]?.results[turn],
      })),
    );
    const later = results.filter(({ turn }) => turn > 0);
    const last = results.filter(({ turn }) => turn === SoakDialogue.turnCount - 1);
    const secrets = new Set(dialogues.map(({ secret }) => secret));
    const tiers: Record<string, number> = {};
    for (const { result } of later) {
      const tier = result.plan?.tier ?? 'none';
      tiers[tier] = (tiers[tier] ?? 0) + 1;
    }
    return {
      sessions,
      turns: results.length,
      otherAnswers: await otherAnswers(alone, dialogues),
      foreignSecrets: results.filter(({ result, dialogue, expected }) =>
        numbersIn(result.text).some(
          (number) => secrets.has(number) && number !== dialogue.secret && !expected?.text.includes(number),
        ),
      ).length,
      ownSecrets: dialogues.filter(({ results: [, told], secret }) => told?.text.includes(secret)).length,
      encoderCalls: first.stats.encoderCalls + second.stats.encoderCalls,
      stateHitRate:
        later.filter(({ result: { usage } }) => usage.reusedTokens > usage.promptTokens / 2).length /
        later.length,
      tiers,
      peakResidentBytes: Math.max(first.peak, second.peak),
      diskBytes: second.stats.diskBytes,
      lostCheckpoints: first.stats.lostCheckpoints + second.stats.lostCheckpoints,
      readyEmptyMs,
      readyFullMs,
      resumedFromDisk: last.filter(({ result }) => result.plan?.tier === 'disk').length,
      seconds: (performance.now() - started) / 1_000,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function otherAnswers(
  alone: readonly SoakDialogue[],
  together: readonly SoakDialogue[],
): Promise<OtherAnswer[]> {
  const found: OtherAnswer[] = [];
  await withEngine({}, suspendMs, async (engine) => {
    for (const [session, { results }] of together.entries()) {
      const expected = alone[session]?.results ?? [];
      // What follows another answer is another conversation.
      const turn = results.findIndex(({ tokens }, at) => String(tokens) !== String(expected[at]?.tokens));
      const [result, other] = [results[turn], expected[turn]];
      if (!result || !other) continue;
      const at = other.tokens.findIndex((token, index) => token !== result.tokens[index]);
      const biased = new SoakDialogue(session);
      while (biased.next < turn) await biased.ask(engine, 'biased');
      await biased.ask(engine, 'biased', { logitBias: { [other.tokens[at] ?? 0]: -tieLogits } });
      const isNearTie = String(biased.results[turn]?.tokens) === String(result.tokens);
      found.push({ session, turn: turn + 1, alone: other.text, together: result.text, isNearTie });
    }
  });
  return found;
}

async function withEngine<T>(
  config: EngineConfig,
  graceMs: number,
  work: (engine: EngineProcess, readyMs: number) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const engine = startNativeEngine(config, createLogger('silent'), graceMs);
  try {
    await engine.ready();
    return await work(engine, performance.now() - started);
  } finally {
    await engine.dispose();
  }
}

/** Each dialogue up to its turn `until`, in random order over all dialogues, several at once. */
async function interleave(
  engine: EngineProcess,
  dialogues: readonly SoakDialogue[],
  until: number,
): Promise<void> {
  const open = dialogues.filter(({ next }) => next < until);
  const work = async (): Promise<void> => {
    for (;;) {
      const index = Math.floor(Math.random() * open.length);
      const [dialogue] = open.splice(index, 1);
      if (!dialogue) return;
      await dialogue.ask(engine, 'soak');
      if (dialogue.next < until) open.push(dialogue);
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
}

const numbersIn = (text: string): string[] => text.match(/\d+/g) ?? [];

export function soakTable(figures: SoakFigures): string {
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return table([
    ['Sessions, turns', `${figures.sessions}, ${figures.turns}, in ${figures.seconds.toFixed(0)} s`],
    ['Answers other than alone', String(figures.otherAnswers.length)],
    ...figures.otherAnswers.map(({ session, turn, alone, together, isNearTie }) => [
      `  session ${session}, turn ${turn}`,
      `"${together}" for "${alone}", ${isNearTie ? `within ${tieLogits} logits` : 'NO near-tie'}`,
    ]),
    ['Secrets of other sessions', `${figures.foreignSecrets}; own ones told ${figures.ownSecrets}`],
    ['Encoder calls', String(figures.encoderCalls)],
    ['State hit rate', `${(100 * figures.stateHitRate).toFixed(1)} %, ${JSON.stringify(figures.tiers)}`],
    [
      'Resumed from disk',
      `${figures.resumedFromDisk} of ${figures.sessions} first questions after a restart`,
    ],
    [
      'Ready',
      `${figures.readyEmptyMs.toFixed(0)} ms with nothing on disk, ${figures.readyFullMs.toFixed(0)} ms with all`,
    ],
    ['Peak resident', mib(figures.peakResidentBytes)],
    ['On disk', `${mib(figures.diskBytes)}, ${figures.lostCheckpoints} checkpoints lost`],
  ]);
}
