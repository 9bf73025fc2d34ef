import type { EngineInfo } from '../core/request.ts';
import { openBackend } from '../llama/backend.ts';
import { nativeRelease } from '../llama/libraries.ts';
import { openNative } from '../llama/native.ts';
import { resolveModelPair } from '../models/pair.ts';
import { type EngineConfig, resolveConfig } from './config.ts';
import { saysAborted } from './decode/decodeAbort.ts';
import { kvBytesPerToken } from './decode/kvType.ts';
import { Runner } from './decode/runner.ts';
import { fingerprintOf } from './fingerprint.ts';
import { describe, type LoadedParts } from './info.ts';
import type { Logger } from './ipc/logger.ts';
import { ChatTemplate } from './prompt/chatTemplate.ts';
import { EngineState } from './state/engineState.ts';
import { openDisk } from './state/openDisk.ts';
import { kernelsFor } from './vision/kernel/matmulKernel.ts';
import { loadEncoder } from './vision/loadEncoder.ts';

/** What an engine is made of; its owner disposes encoder, runner and backend, in this order, and closes the state. */
export interface EngineParts extends LoadedParts {
  readonly template: ChatTemplate;
  readonly info: EngineInfo;
  readonly state: EngineState;
  readonly kvBytesPerToken: number;
  readonly logger: Logger;
}

/** Loads model and vision tower, and opens what an earlier engine kept. @throws AfterimageError model_*, native_* */
export async function loadParts(config: EngineConfig, logger: Logger): Promise<EngineParts> {
  const started = performance.now();
  const pair = await resolveModelPair({ model: config.model, mmproj: config.mmproj });
  const resolved = resolveConfig(config, pair);
  const native = await openNative(resolved.gpu, (level, line) => {
    // What the library calls info is hundreds of lines of model metadata, and its warnings address its own users.
    const isWrong = level === 'error' && !saysAborted(line);
    logger[isWrong ? 'error' : 'debug']({ native: true }, line);
  });
  for (const name of native.libraries.passedOver) {
    logger.warn({ package: name }, 'engine: an installed library is not used, the driver shows no device');
  }
  const backend = openBackend(native.ggml, resolved.gpu, resolved.threads);
  const runner = await Runner.load(native, {
    modelPath: pair.modelPath,
    kvCells: resolved.kvCells,
    kvType: resolved.kvType,
    batchTokens: resolved.batchTokens,
    maxSequences: resolved.maxSequences,
    threads: resolved.threads,
    gpu: backend.isGpu,
    threadPool: backend.threadPool,
  });
  const encoder = await loadEncoder(native, backend, pair, resolved, logger);
  const template = new ChatTemplate({
    source: pair.chatTemplate,
    path: pair.modelPath,
    tokenizer: runner.vocabulary,
    imageTokenPixels: pair.vision.patchSize * pair.vision.mergeSize,
  });
  const fingerprint = await fingerprintOf(pair, {
    build: `${nativeRelease} ${native.systemInfo}`,
    backend: `${backend.name} ${backend.deviceName}`,
    kvType: resolved.kvType,
    visionWeightType: encoder.weightType,
    visionKernels: kernelsFor(native.systemInfo).map(({ name }) => name),
    featureType: resolved.featureType,
  });
  const disk = await openDisk(resolved, fingerprint, logger, (ids) => state.dropObjects(ids));
  const state = new EngineState({
    fingerprint,
    endsTurn: (token) => runner.vocabulary.isEndOfGeneration(token),
    ramBytes: resolved.stateCacheBytes,
    ramIdleMs: resolved.ramIdleMs,
    unownedTtlMs: resolved.unownedTtlMs,
    disk,
    logger,
  });
  const loadMs = performance.now() - started;
  const parts = { native, backend, runner, encoder, template, config: resolved };
  return {
    ...parts,
    state,
    kvBytesPerToken: kvBytesPerToken(pair.kvBytesPerToken, resolved.kvType),
    logger,
    info: describe(pair, parts, loadMs),
  };
}
