import { parseArgs } from 'node:util';
import type { ModelOption } from '../engine/options.ts';

export const usage = `node bench/state.ts [options]

Measures what remembering saves.
--part tiers|baselines|soak  only this; can be given more than once. Default: tiers and baselines
--model 2b|8b       for the tiers: synthetic weights of the released shape. Default: the embedded model
--turns N,N,...     for the tiers: which turns; 2,5,20
--rounds N          for the tiers: conversations for each; 3
--sessions N        for the soak; 1000
--json FILE         writes the figures there, too`;

/** What the user got wrong on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const parts = ['tiers', 'baselines', 'soak'] as const;
type Part = (typeof parts)[number];

export interface StateBenchOptions {
  readonly parts: readonly Part[];
  readonly model: ModelOption;
  readonly turns: readonly number[];
  readonly rounds: number;
  readonly sessions: number;
  readonly jsonPath: string | undefined;
}

/** @throws UsageError */
export function stateBenchOptions(args: readonly string[]): StateBenchOptions {
  const values = parse(args);
  const unknown = values.part?.find((part) => !parts.includes(part as Part));
  if (unknown !== undefined) throw new UsageError(`--part: ${unknown} is none of ${parts.join(', ')}`);
  return {
    parts: (values.part as Part[] | undefined) ?? ['tiers', 'baselines'],
    model: modelOption(values.model),
    turns: (values.turns ?? '2,5,20').split(',').map((turn) => count('turns', turn)),
    rounds: count('rounds', values.rounds ?? '3'),
    sessions: count('sessions', values.sessions ?? '1000'),
    jsonPath: values.json,
  };
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const;
  const options = {
    part: { type: 'string', multiple: true },
    model: string,
    turns: string,
    rounds: string,
    sessions: string,
    json: string,
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

function modelOption(size: string | undefined): ModelOption {
  if (size === undefined) return { kind: 'embedded' };
  if (size === '2b') return { kind: 'synthetic', size, textType: 'q8_0', depth: undefined };
  if (size === '8b') return { kind: 'synthetic', size, textType: 'q4_0', depth: undefined };
  throw new UsageError(`--model: ${size} is none of 2b, 8b`);
}

function count(name: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new UsageError(`--${name}: a whole number of at least 1 is needed, got ${text}`);
}
