import type { InferencePort } from '../core/inference.ts';
import type { EngineConfig } from '../engine/config.ts';
import type { Logger } from '../engine/ipc/logger.ts';
import { FairPort } from '../inference/fairPort.ts';
import { startNativeEngine } from '../inference/nativeEngine.ts';
import { echoPieces } from '../inference/scriptedAnswer.ts';
import { ScriptedEngine } from '../inference/scriptedEngine.ts';
import type { ServerConfig } from './settings.ts';

/** What an engine may take to end beyond the time it has to write state to disk. */
const writesEndMs = 2_000;

/** Starts the engine the settings ask for, with tenants taking turns before it. The caller owns it. */
export function startEngine(config: ServerConfig, engineConfig: EngineConfig, logger: Logger): InferencePort {
  const { maxRunning, maxWaiting, maxWaitingPerTenant, scriptedDelayMs: delayMs } = config;
  const engine =
    config.engine === 'native'
      ? startNativeEngine(engineConfig, logger, config.drainMs + writesEndMs)
      : new ScriptedEngine({
          maxRunning,
          recordCalls: false,
          script: (request) => ({ pieces: echoPieces(request), delayMs }),
        });
  return new FairPort(engine, { maxRunning, maxWaiting, maxWaitingPerTenant });
}
