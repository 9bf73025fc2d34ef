import { availableParallelism, freemem } from 'node:os';
import { failure } from '../core/errors.ts';
import type { GpuChoice } from '../llama/libraries.ts';
import type { ModelPair } from '../models/pair.ts';
import { type KvType, kvBytesPerToken, kvTypeProblem } from './decode/kvType.ts';
import type { FeatureType } from './vision/featurePacking.ts';
import type { WeightType } from './vision/weightType.ts';

/** What an engine process is started with. Everything left out has a default that suits the machine and the model. */
export interface EngineConfig {
  /** Text model and vision file (GGUF); the embedded pair when both are left out. */
  readonly model?: string;
  readonly mmproj?: string;
  readonly gpu?: GpuChoice;
  readonly threads?: number;
  /** KV cells shared by all sequences. Default: what `kvMemoryShare` of the free memory holds. */
  readonly kvCells?: number;
  /** How the cache holds keys and values. Default f16, see docs/decisions.md. */
  readonly kvType?: KvType;
  /** Most sequences that prefill or decode at the same time. */
  readonly maxRunning?: number;
  readonly maxWaiting?: number;
  /** Native sequence ids: running and idle sequences together. */
  readonly maxSequences?: number;
  readonly batchTokens?: number;
  readonly overtakeBoundMs?: number;
  readonly visionWeightType?: WeightType;
  readonly featureCacheBytes?: number;
  /** How features are kept, in memory and on disk. Default f16. */
  readonly featureType?: FeatureType;
  /** Memory for attention state of idle conversations that had to leave the cache. Default: an eighth of what is free, at most 2 GiB. */
  readonly stateCacheBytes?: number;
  /** Folder for state that leaves memory; none: what leaves memory is gone. One engine at a time. */
  readonly stateFolder?: string;
  /** 32 bytes as base64 that everything in the folder is sealed under. Default: a key that lies in the folder. */
  readonly stateKey?: string;
  /** What the folder may hold. Default 16 GiB. */
  readonly stateDiskBytes?: number;
  /** Free space on the folder's volume below which nothing is written. */
  readonly reserveBytes?: number;
  /** An idle conversation's state leaves the cache for memory after this long, and memory for disk after that long. */
  readonly hotIdleMs?: number;
  readonly ramIdleMs?: number;
  /** State of requests that belong to no session is dropped after this long without use. */
  readonly unownedTtlMs?: number;
  /** How long an engine that is shut down may take to write state to disk. */
  readonly suspendMs?: number;
}

export interface ResolvedEngineConfig
  extends Required<Omit<EngineConfig, 'model' | 'mmproj' | 'visionWeightType' | 'stateFolder' | 'stateKey'>> {
  readonly stateFolder: string | undefined;
  readonly stateKey: string | undefined;
  readonly visionWeightType: WeightType | undefined;
}

/** llama.cpp's own bound (LLAMA_MAX_SEQ). */
const maxNativeSequences = 256;
/**
 * Share of the memory that is free at start for the KV cache, and its bounds. More cells keep more idle conversations, but
 * in a unified cache every token looks at the mask of every used cell: with 20,000 idle cells the embedded model decodes
 * at 43 % of its speed with 1,000, with 8,000 at about 60 %.
 */
const kvMemoryShare = 0.25;
const maxDefaultCells = 8192;
const minDefaultCells = 4096;
const maxDefaultStateBytes = 2 * 2 ** 30;

/** Bounds of what may be asked for; beyond them native code would not refuse but crash. */
const ranges = {
  threads: [1, 512],
  kvCells: [256, 2 ** 24],
  maxRunning: [1, 256],
  maxWaiting: [0, 1_000_000],
  maxSequences: [1, maxNativeSequences],
  batchTokens: [32, 4096],
  overtakeBoundMs: [0, 600_000],
  featureCacheBytes: [0, 2 ** 40],
  stateCacheBytes: [0, 2 ** 40],
  stateDiskBytes: [0, 2 ** 50],
  reserveBytes: [0, 2 ** 50],
  hotIdleMs: [0, 2 ** 31],
  ramIdleMs: [0, 2 ** 31],
  unownedTtlMs: [0, 2 ** 31],
  suspendMs: [0, 2 ** 31],
} as const;

/** @throws invalid_parameter naming the setting, its range and the actual value, or what the model can't do with it */
export function resolveConfig(config: EngineConfig, pair: ModelPair): ResolvedEngineConfig {
  for (const [param, [min, max]] of Object.entries(ranges)) {
    const value = config[param as keyof typeof ranges];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) continue;
    throw failure('invalid_parameter', { param, problem: `must be from ${min} to ${max}, got ${value}` });
  }
  const kvType = config.kvType ?? 'f16';
  const problem = kvTypeProblem(kvType, pair.kvHeadSize);
  if (problem) throw failure('invalid_parameter', { param: 'kvType', problem });
  const bytesPerToken = kvBytesPerToken(pair.kvBytesPerToken, kvType);
  const cells = Math.floor((freemem() * kvMemoryShare) / bytesPerToken);
  return {
    gpu: config.gpu ?? 'auto',
    threads: config.threads ?? availableParallelism(),
    kvCells: config.kvCells ?? Math.min(maxDefaultCells, Math.max(minDefaultCells, cells - (cells % 256))),
    kvType,
    maxRunning: config.maxRunning ?? 16,
    maxWaiting: config.maxWaiting ?? 256,
    maxSequences: config.maxSequences ?? maxNativeSequences,
    batchTokens: config.batchTokens ?? 512,
    overtakeBoundMs: config.overtakeBoundMs ?? 2000,
    visionWeightType: config.visionWeightType,
    featureType: config.featureType ?? 'f16',
    featureCacheBytes: config.featureCacheBytes ?? 256 * 2 ** 20,
    stateCacheBytes: config.stateCacheBytes ?? Math.min(maxDefaultStateBytes, Math.floor(freemem() / 8)),
    stateFolder: config.stateFolder,
    stateKey: config.stateKey,
    stateDiskBytes: config.stateDiskBytes ?? 16 * 2 ** 30,
    reserveBytes: config.reserveBytes ?? 64 * 2 ** 20,
    hotIdleMs: config.hotIdleMs ?? 60_000,
    ramIdleMs: config.ramIdleMs ?? 120_000,
    unownedTtlMs: config.unownedTtlMs ?? 30 * 60_000,
    suspendMs: config.suspendMs ?? 10_000,
  };
}
