import { type Command, InvalidArgumentError, Option } from 'commander';
import type { GenerateRequest, Sampling } from '../core/request.ts';
import type { EngineConfig } from '../engine/config.ts';
import { type KvType, kvTypes } from '../engine/decode/kvType.ts';
import { type FeatureType, featureTypes } from '../engine/vision/featurePacking.ts';
import { weightTypes } from '../engine/vision/weightType.ts';
import { type ImageDetail, pixelBudgets } from '../images/resizeRule.ts';
import { type GpuChoice, gpuChoices } from '../llama/libraries.ts';
import type { LogChoice } from './logger.ts';

export interface EngineFlags {
  readonly model?: string;
  readonly mmproj?: string;
  readonly gpu: GpuChoice;
  readonly threads?: number;
  readonly kvCells?: number;
  readonly kvType: KvType;
  readonly featureType: FeatureType;
  readonly visionWeights?: EngineConfig['visionWeightType'];
  readonly log: LogChoice;
}

export interface AnswerFlags {
  readonly system?: string;
  readonly detail: ImageDetail;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly stop?: string[];
  readonly json?: boolean;
}

export function addEngineOptions(command: Command): Command {
  return command
    .option('-m, --model <file>', 'text model (GGUF); default: the embedded model')
    .option('--mmproj <file>', 'vision file (GGUF); default: the one beside the model that fits')
    .addOption(new Option('--gpu <choice>', 'where to compute').choices(gpuChoices).default('auto'))
    .option('--threads <n>', 'CPU threads; default: all cores', wholeNumber)
    .option('--kv-cells <n>', 'tokens the attention cache holds, all conversations together', wholeNumber)
    .addOption(
      new Option('--kv-type <type>', 'how the attention cache holds keys and values')
        .choices(kvTypes)
        .default('f16'),
    )
    .addOption(
      new Option('--feature-type <type>', 'what the features of pictures are rounded to')
        .choices(featureTypes)
        .default('f16'),
    )
    .addOption(
      new Option('--vision-weights <type>', 'weight type of the vision tower; default: probed').choices(
        weightTypes,
      ),
    )
    .addOption(
      new Option('--log <level>', 'JSON log lines on stderr')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('silent'),
    );
}

export function addAnswerOptions(command: Command): Command {
  return command
    .option('-s, --system <text>', 'system message')
    .addOption(
      new Option('--detail <level>', 'how many pixels of a picture the model sees')
        .choices(Object.keys(pixelBudgets))
        .default('auto'),
    )
    .option('-t, --temperature <x>', '0 always takes the likeliest token (default)', decimal)
    .option('--top-p <x>', 'nucleus sampling', decimal)
    .option('--top-k <n>', 'sample from the k likeliest tokens', wholeNumber)
    .option('--min-p <x>', 'drop tokens below this share of the likeliest', decimal)
    .option('--seed <n>', 'makes sampling repeatable', wholeNumber)
    .option('-n, --max-tokens <n>', 'longest answer in tokens', wholeNumber)
    .option('--stop <text>', 'end the answer before this text; can be given more than once', collect)
    .option('--json', 'one JSON object per answer on stdout');
}

export function engineConfig(flags: EngineFlags): EngineConfig {
  return {
    gpu: flags.gpu,
    kvType: flags.kvType,
    featureType: flags.featureType,
    ...(flags.model !== undefined && { model: flags.model }),
    ...(flags.mmproj !== undefined && { mmproj: flags.mmproj }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.kvCells !== undefined && { kvCells: flags.kvCells }),
    ...(flags.visionWeights !== undefined && { visionWeightType: flags.visionWeights }),
  };
}

export function generationOptions(
  flags: AnswerFlags,
): Pick<GenerateRequest, 'sampling' | 'maxOutputTokens' | 'stop'> {
  const { temperature, topP, topK, minP, seed } = flags;
  const given = Object.entries({ temperature, topP, topK, minP, seed }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    sampling: Object.fromEntries(given) as Partial<Sampling>,
    ...(flags.maxTokens !== undefined && { maxOutputTokens: flags.maxTokens }),
    ...(flags.stop && { stop: flags.stop }),
  };
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('A whole number of at least 0 is needed.');
  return Number(text);
}

function decimal(text: string): number {
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new InvalidArgumentError('A number is needed.');
  return Number(text);
}

function collect(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}
