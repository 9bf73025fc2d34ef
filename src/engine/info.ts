import type { EngineInfo } from '../core/request.ts';
import type { Backend } from '../llama/backend.ts';
import type { Native } from '../llama/native.ts';
import type { ModelPair } from '../models/pair.ts';
import type { ResolvedEngineConfig } from './config.ts';
import type { Runner } from './decode/runner.ts';
import type { VisionEncoder } from './vision/encoder.ts';

export interface LoadedParts {
  readonly native: Native;
  readonly backend: Backend;
  readonly runner: Runner;
  readonly encoder: VisionEncoder;
  readonly config: ResolvedEngineConfig;
}

export function describe(pair: ModelPair, parts: LoadedParts, loadMs: number): EngineInfo {
  const { runner, encoder, backend, native, config } = parts;
  return {
    model: pair.name,
    parameters: runner.parameters,
    contextTokens: runner.trainedContext,
    kvCells: config.kvCells,
    kvType: config.kvType,
    maxRunning: config.maxRunning,
    vision: {
      hidden: pair.vision.hidden,
      layers: pair.vision.layers,
      deepstackLayers: pair.vision.deepstackLayers.length,
      featureWidth: encoder.featureWidth,
      weightType: encoder.weightType,
      kernels: encoder.kernels,
      kernelProblems: encoder.kernelProblems,
      probeGflops: encoder.probeGflops as Record<string, number>,
    },
    backend: backend.name,
    device: backend.deviceName,
    instructionSets: native.systemInfo,
    threads: config.threads,
    loadMs,
  };
}
