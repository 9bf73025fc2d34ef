import { parseArgs } from 'node:util';
import { modelShapes } from '../synthetic/shapes.ts';

export const usage = `node bench/engine.ts [options]

Measures the engine process: encode, prefill, first token by turn, decode, memory.
--model 2b|4b|8b    synthetic weights of a released model's shape, written to bench/.weights/ when missing
--text q8_0|q4_0|f16  type of their text matrices; q8_0 for 2b, q4_0 for 4b and 8b
--depth N           at most N layers on both sides of them, where memory or time is short
--model FILE        another text model (GGUF); default: the embedded model
--mmproj FILE       its vision file; default: the one beside it that fits
--peer URL          an OpenAI-compatible server that holds the same files: measured in turn with the engine
--peer-log FILE     the log of a llama-server (--log-file FILE --log-timestamps -lv 4): its encode times, else estimated
--rounds N          how often everything is measured; 3, or 1 with --quick
--turns N           length of the conversations; 20, or 3 with --quick
--threads N         CPU threads of the engine; default: its own choice
--kv-cells N        KV cells of the engine; default: its own choice
--quick             small counts, to see that it works
--json FILE         writes the figures there, too`;

export type ModelSize = keyof typeof modelShapes;
export type TextType = 'q8_0' | 'q4_0' | 'f16';

export type ModelOption =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'files'; readonly model: string; readonly mmproj: string | undefined }
  | {
      readonly kind: 'synthetic';
      readonly size: ModelSize;
      readonly textType: TextType;
      readonly depth: number | undefined;
    };

export interface BenchOptions {
  readonly model: ModelOption;
  readonly peerUrl: URL | undefined;
  readonly peerLogPath: string | undefined;
  readonly rounds: number;
  readonly turns: number | undefined;
  readonly threads: number | undefined;
  readonly kvCells: number | undefined;
  readonly quick: boolean;
  readonly jsonPath: string | undefined;
}

/** What the user got wrong on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const defaultTextTypes: Readonly<Record<ModelSize, TextType>> = { '2b': 'q8_0', '4b': 'q4_0', '8b': 'q4_0' };
const textTypes: readonly TextType[] = ['q8_0', 'q4_0', 'f16'];
const fullRounds = 3;

const flags = {
  model: { type: 'string' },
  mmproj: { type: 'string' },
  text: { type: 'string' },
  depth: { type: 'string' },
  peer: { type: 'string' },
  'peer-log': { type: 'string' },
  rounds: { type: 'string' },
  turns: { type: 'string' },
  threads: { type: 'string' },
  'kv-cells': { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
} as const;

type Values = ReturnType<typeof parse>;

/** @throws UsageError */
export function benchOptions(args: readonly string[]): BenchOptions {
  const values = parse(args);
  if (values.peer !== undefined && !URL.canParse(values.peer)) {
    throw new UsageError(`--peer: ${values.peer} is not a URL`);
  }
  if (values['peer-log'] !== undefined && values.peer === undefined)
    throw new UsageError('--peer-log goes with --peer');
  return {
    model: modelOption(values),
    peerUrl: values.peer === undefined ? undefined : new URL(values.peer),
    peerLogPath: values['peer-log'],
    rounds: count('rounds', values.rounds) ?? (values.quick ? 1 : fullRounds),
    turns: count('turns', values.turns),
    threads: count('threads', values.threads),
    kvCells: count('kv-cells', values['kv-cells']),
    quick: values.quick,
    jsonPath: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

export function modelOption({ model, mmproj, text, depth }: Partial<Values>): ModelOption {
  const size = (Object.keys(modelShapes) as ModelSize[]).find((key) => key === model);
  if (size === undefined) {
    if (text !== undefined || depth !== undefined) {
      throw new UsageError('--text and --depth go with --model 2b, 4b or 8b');
    }
    if (model !== undefined) return { kind: 'files', model, mmproj };
    if (mmproj !== undefined) throw new UsageError('--mmproj goes with --model FILE');
    return { kind: 'embedded' };
  }
  if (mmproj !== undefined) throw new UsageError('--mmproj goes with --model FILE');
  const textType = text === undefined ? defaultTextTypes[size] : textTypes.find((known) => known === text);
  if (textType === undefined) throw new UsageError(`--text: ${text} is none of ${textTypes.join(', ')}`);
  return { kind: 'synthetic', size, textType, depth: count('depth', depth) };
}

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(text)) {
    throw new UsageError(`--${name}: a whole number of at least 1 is needed, got ${text}`);
  }
  return Number(text);
}
