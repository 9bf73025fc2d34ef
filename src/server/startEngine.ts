import type { InferencePort } from '../core/inference.ts';
import type { Logger } from '../engine/ipc/logger.ts';
import { FairPort } from '../inference/fairPort.ts';
import { startNativeEngine } from '../inference/nativeEngine.ts';
import { echoPieces } from '../inference/scriptedAnswer.ts';
import { ScriptedEngine } from '../inference/scriptedEngine.ts';
import { engineConfigOf } from './partConfigs.ts';
import type { ServerConfig } from './settings.ts';

/** Starts the engine the settings ask for, with tenants taking turns before it. The caller owns it. */
export function startEngine(config: ServerConfig, logger: Logger): InferencePort {
  const { maxRunning, maxWaiting, maxWaitingPerTenant, scriptedDelayMs: delayMs } = config;
  const engine =
    config.engine === 'native'
      ? startNativeEngine(engineConfigOf(config), logger)
      : new ScriptedEngine({
          maxRunning,
          recordCalls: false,
          script: (request) => ({ pieces: echoPieces(request), delayMs }),
        });
  return new FairPort(engine, { maxRunning, maxWaiting, maxWaitingPerTenant });
}
