import type { EngineInfo } from '../../src/core/request.ts';
import type { EngineProcess } from '../../src/inference/engineProcess.ts';
import { startNativeEngine } from '../../src/inference/nativeEngine.ts';
import type { Contender } from './contender.ts';
import { type Environment, environment, peakResidentBytes } from './environment.ts';
import { compare, type Figures, type Ratios, summarise } from './figures.ts';
import { NativeContender } from './nativeContender.ts';
import type { BenchOptions } from './options.ts';
import { PeerContender } from './peerContender.ts';
import { PeerLog } from './peerLog.ts';
import { fullPlan, type Plan, quickPlan } from './plan.ts';
import { Round, type RoundFigures } from './round.ts';
import { openSubject, type Subject } from './subject.ts';

export interface BenchReport {
  readonly environment: Environment;
  readonly model: Pick<Subject, 'name' | 'remark' | 'textWeightType' | 'visionFileType'>;
  readonly engine: EngineInfo;
  readonly plan: Plan;
  readonly rounds: number;
  /** Of the engine process. */
  readonly peakResidentBytes: number;
  readonly ours: Figures;
  readonly peer?: {
    readonly name: string;
    readonly figures: Figures;
    readonly ratios: Ratios;
    /** Whether its encode time is a difference of two first tokens, see `Round`. */
    readonly encodeIsEstimate: boolean;
  };
}

/** Measures; `onProgress` hears what is being done. @throws AfterimageError what the model or the engine says */
export async function runBench(
  options: BenchOptions,
  onProgress: (line: string) => void,
): Promise<BenchReport> {
  const where = await environment();
  onProgress('preparing the model');
  const subject = await openSubject(options.model);
  const plan = {
    ...(options.quick ? quickPlan : fullPlan),
    ...(options.turns !== undefined && { turns: options.turns }),
  };
  const { model, mmproj } = subject.paths;
  const engine = startNativeEngine(
    {
      ...(model !== undefined && { model }),
      ...(mmproj !== undefined && { mmproj }),
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(options.kvCells !== undefined && { kvCells: options.kvCells }),
    },
    stderrLogger,
  );
  try {
    const info = await engine.ready();
    const { answerToken } = subject.vocabulary;
    const ours = new NativeContender(engine, info.maxRunning, answerToken);
    const peerLog = options.peerLogPath === undefined ? undefined : await PeerLog.follow(options.peerLogPath);
    const peer =
      options.peerUrl &&
      (await PeerContender.connect(options.peerUrl, answerToken, info.parameters, peerLog));
    const memory = new PeakMemory(engine);
    const figures = await alternate(
      peer ? [ours, peer] : [ours],
      options.rounds,
      plan,
      subject,
      async (line) => {
        onProgress(line);
        await memory.look();
      },
    );
    const [oursFigures, peerFigures] = figures;
    if (!oursFigures) throw new Error('nothing was measured');
    const { name, remark, textWeightType, visionFileType } = subject;
    return {
      environment: where,
      model: { name, remark, textWeightType, visionFileType },
      engine: info,
      plan,
      rounds: options.rounds,
      peakResidentBytes: await memory.look(),
      ours: oursFigures,
      ...(peer &&
        peerFigures && {
          peer: {
            name: peer.name,
            figures: peerFigures,
            ratios: compare(oursFigures, peerFigures),
            encodeIsEstimate: peerLog === undefined,
          },
        }),
    };
  } finally {
    await engine.dispose();
  }
}

/** A round of each, again and again: what slows the machine for a while slows both. */
async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  plan: Plan,
  subject: Subject,
  beforeRound: (line: string) => Promise<void>,
): Promise<Figures[]> {
  const measured = contenders.map((contender) => ({
    contender,
    round: new Round(contender, plan, subject),
    found: [] as RoundFigures[],
  }));
  for (const { round } of measured) await round.warmUp();
  for (let count = 1; count <= rounds; count++) {
    for (const { contender, round, found } of measured) {
      await beforeRound(`round ${count} of ${rounds}: ${contender.name}`);
      found.push(await round.run());
    }
  }
  return measured.map(({ found }) => summarise(found));
}

/** The kernel's peak where it keeps one, else the largest size seen. */
class PeakMemory {
  readonly #engine: EngineProcess;
  #largest = 0;

  constructor(engine: EngineProcess) {
    this.#engine = engine;
  }

  async look(): Promise<number> {
    const { pid } = this.#engine;
    if (pid === undefined) throw new Error('the engine process is gone');
    const bytes = (await peakResidentBytes(pid)) ?? (await this.#engine.stats()).residentBytes;
    this.#largest = Math.max(this.#largest, bytes);
    return this.#largest;
  }
}

const ignore = (): void => {};
const complain = (fields: object, message: string): void => console.error(message, fields);
const stderrLogger = { debug: ignore, info: ignore, warn: complain, error: complain };
