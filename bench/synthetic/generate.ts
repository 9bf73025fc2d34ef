/** Command line of the synthetic weights: same shapes and speed as released models, random values. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type SyntheticFile, writeSyntheticPair } from './pair.ts';
import type { TileType } from './randomTile.ts';
import { cutToDepth, type ModelShape, modelShapes } from './shapes.ts';

const usage = `node bench/synthetic/generate.ts 2b|4b|8b [--text q8_0|q4_0|f16] [--depth N]

Writes a pair into bench/.weights/<shape>/ and prints its paths. Files that are there already are used again.
--text   type of the text matrices; q8_0 for 2b, q4_0 for 4b and 8b
--depth  at most N layers on both sides, for quick tries`;

const defaultTypes = { '2b': 'q8_0', '4b': 'q4_0', '8b': 'q4_0' } as const;
const textTypes: readonly TileType[] = ['q8_0', 'q4_0', 'f16'];

interface Plan {
  readonly name: string;
  readonly shape: ModelShape;
  readonly type: TileType;
}

/** Undefined when the arguments make no sense. */
function planOf(args: readonly string[]): Plan | undefined {
  const options = { text: { type: 'string' }, depth: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const size = (Object.keys(modelShapes) as (keyof typeof modelShapes)[]).find(
    (key) => key === positionals[0],
  );
  if (size === undefined || positionals.length > 1) return undefined;
  const type = textTypes.find((known) => known === (values.text ?? defaultTypes[size]));
  const depth = values.depth === undefined ? undefined : Number(values.depth);
  if (type === undefined || (depth !== undefined && !(Number.isInteger(depth) && depth >= 1)))
    return undefined;
  if (depth === undefined) return { name: size, shape: modelShapes[size], type };
  return { name: `${size}-depth${depth}`, shape: cutToDepth(modelShapes[size], depth), type };
}

function isArgumentError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

function planOrUsage(args: readonly string[]): Plan | undefined {
  try {
    return planOf(args);
  } catch (error) {
    if (isArgumentError(error)) return undefined;
    throw error;
  }
}

const plan = planOrUsage(process.argv.slice(2));
if (plan === undefined) {
  console.error(usage);
  process.exitCode = 2;
} else {
  const { name, shape, type } = plan;
  const folder = fileURLToPath(new URL(`../.weights/${name}`, import.meta.url));
  const start = performance.now();
  const { model, mmproj } = await writeSyntheticPair(folder, name, shape, type);
  const line = ({ path, bytes, reused }: SyntheticFile) =>
    `${path}  ${(bytes / 1e6).toFixed(0)} MB${reused ? ', was there already' : ''}`;
  console.log(`${line(model)}\n${line(mmproj)}\n${((performance.now() - start) / 1000).toFixed(1)} s`);
}
