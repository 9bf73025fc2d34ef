import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InferencePort } from '../../core/inference.ts';
import type {
  ChatMessage,
  EngineInfo,
  EngineStats,
  GenerateResult,
  ImageSource,
} from '../../core/request.ts';
import type { EngineConfig } from '../../engine/config.ts';
import { startNativeEngine } from '../../inference/nativeEngine.ts';
import { createLogger } from '../logger.ts';

/** Where a turn's state is taken from, the cheapest first. `pixels` is computing everything again. */
export const benchTiers = ['hot', 'ram', 'disk', 'features', 'pixels'] as const;
export type BenchTier = (typeof benchTiers)[number];

export interface TierPlan {
  /** Turns that are measured; those between them are said from the hot tier. */
  readonly turns: readonly number[];
  readonly rounds: number;
  /** Of the first prompt, picture included, about. */
  readonly promptTokens: number;
  readonly answerTokens: number;
}

export interface TierFigure {
  readonly tier: BenchTier;
  readonly turn: number;
  readonly promptTokens: number;
  readonly computedTokens: number;
  /** What was brought back. */
  readonly bytes: number;
  /** Medians of all rounds. */
  readonly firstTokenMs: number;
  readonly loadMs: number;
  /** Estimates of the planner over what it took. */
  readonly estimateRatio: number;
}

const tenant = 'bench';
/** Long enough for the next turn to come first, when it is one that isn't measured. */
const hotIdleMs = 3_000;
/** What makes the state of an idle session lie in a tier, and nowhere above it. */
const configs: Record<BenchTier, (folder: string) => EngineConfig> = {
  hot: () => ({}),
  ram: () => ({ hotIdleMs, ramIdleMs: 2 ** 31 }),
  disk: (folder) => ({ hotIdleMs, ramIdleMs: 0, stateFolder: folder }),
  features: () => ({ hotIdleMs, stateCacheBytes: 0 }),
  pixels: () => ({ hotIdleMs, stateCacheBytes: 0, featureCacheBytes: 0 }),
};
const isThere: Record<BenchTier, (stats: EngineStats) => boolean> = {
  hot: () => true,
  ram: ({ idleSequences }) => idleSequences === 0,
  disk: ({ idleSequences, stateBytes }) => idleSequences === 0 && stateBytes === 0,
  features: ({ idleSequences }) => idleSequences === 0,
  pixels: ({ idleSequences }) => idleSequences === 0,
};

/** Measures each tier in an engine of its own, one after the other. `picture` gives another one each time. */
export async function measureTiers(
  config: EngineConfig,
  plan: TierPlan,
  picture: () => Promise<ImageSource>,
  onProgress: (line: string) => void,
): Promise<{ info: EngineInfo; figures: TierFigure[] }> {
  const figures: TierFigure[] = [];
  let info: EngineInfo | undefined;
  for (const tier of benchTiers) {
    const folder = await mkdtemp(join(tmpdir(), 'afterimage-bench-'));
    const engine = startNativeEngine({ ...config, ...configs[tier](folder) }, createLogger('silent'));
    try {
      info = await engine.ready();
      const rounds: Measured[][] = [];
      for (let round = 0; round < plan.rounds; round++) {
        onProgress(`${tier}, round ${round + 1} of ${plan.rounds}`);
        rounds.push(await conversation(engine, tier, plan, await picture(), `s${round}`));
      }
      for (const [index, turn] of plan.turns.entries()) {
        figures.push(
          figureOf(
            tier,
            turn,
            rounds.map((all) => all[index] as Measured),
          ),
        );
      }
    } finally {
      await engine.dispose();
      await rm(folder, { recursive: true });
    }
  }
  if (!info) throw new Error('nothing was measured');
  return { info, figures };
}

interface Measured {
  readonly result: GenerateResult;
  readonly bytes: number;
}

async function conversation(
  engine: InferencePort,
  tier: BenchTier,
  { turns, promptTokens, answerTokens }: TierPlan,
  image: ImageSource,
  session: string,
): Promise<Measured[]> {
  const system = await textOfTokens(engine, promptTokens, image);
  const history: ChatMessage[] = [{ role: 'system', content: [{ type: 'text', text: system }] }];
  const measured: Measured[] = [];
  for (let turn = 1; turn <= Math.max(...turns); turn++) {
    const text = `Question ${turn}: what else is there to see in it?`;
    const content = [{ type: 'text' as const, text }];
    const parts = turn === 1 ? [{ type: 'image' as const, image }, ...content] : content;
    history.push({ role: 'user', content: parts });
    const isMeasured = turns.includes(turn);
    if (isMeasured) while (!isThere[tier](await engine.stats())) await sleep(50);
    const bytes = isMeasured ? await bytesIn(engine, tier, session, image) : 0;
    const result = await answer(engine, session, history, answerTokens);
    history.push({
      role: 'assistant',
      content: [{ type: 'text', text: result.text }],
      tokens: result.tokens,
    });
    if (isMeasured) measured.push({ result, bytes });
  }
  return measured;
}

async function answer(
  engine: InferencePort,
  session: string,
  messages: readonly ChatMessage[],
  maxOutputTokens: number,
): Promise<GenerateResult> {
  for await (const event of engine.generate({ tenant, session, messages, maxOutputTokens })) {
    if (event.type === 'done') return event.result;
  }
  throw new Error('an answer ended without a result');
}

/** A system message that makes a prompt with the picture about so long. */
async function textOfTokens(
  engine: InferencePort,
  promptTokens: number,
  image: ImageSource,
): Promise<string> {
  const count = async (words: number): Promise<number> => {
    const text = 'The shop sells many things of all colours and sizes. '.repeat(words);
    const content = [{ type: 'image' as const, image }];
    const messages: ChatMessage[] = [
      { role: 'system', content: [{ type: 'text', text }] },
      { role: 'user', content },
    ];
    return (await engine.countTokens({ tenant, messages })).promptTokens;
  };
  const [none, ten] = [await count(0), await count(10)];
  const repeats = Math.max(0, Math.round(((promptTokens - none) * 10) / (ten - none)));
  return `Conversation ${image.digest.slice(7, 15)}. ${'The shop sells many things of all colours and sizes. '.repeat(repeats)}`;
}

async function bytesIn(
  engine: InferencePort,
  tier: BenchTier,
  session: string,
  { width, height }: ImageSource,
): Promise<number> {
  if (tier === 'pixels') return 3 * width * height;
  const held = (await engine.stateTree(tenant, session)).map(({ tiers }) => tiers[tier] ?? 0);
  // Features lie in memory, whose tree shows them only beside attention state.
  return held.length > 0 ? Math.max(...held) : (await engine.stats()).featureBytes;
}

function figureOf(tier: BenchTier, turn: number, rounds: readonly Measured[]): TierFigure {
  const median = (of: (measured: Measured) => number): number => {
    const sorted = rounds.map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] as number;
  };
  return {
    tier,
    turn,
    promptTokens: median(({ result }) => result.usage.promptTokens),
    computedTokens: median(({ result }) => result.usage.promptTokens - result.usage.reusedTokens),
    bytes: median(({ bytes }) => bytes),
    firstTokenMs: median(({ result }) => result.timings.firstTokenMs),
    loadMs: median(({ result }) => result.timings.loadMs ?? 0),
    estimateRatio: median(({ result: { plan } }) => (plan ? plan.estimatedMs / plan.actualMs : Number.NaN)),
  };
}
