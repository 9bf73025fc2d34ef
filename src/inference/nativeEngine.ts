import { extname } from 'node:path';
import type { EngineConfig } from '../engine/config.ts';
import type { Logger } from '../engine/ipc/logger.ts';
import { EngineProcess } from './engineProcess.ts';

/** Starts the native engine in a process of its own. The caller owns it and must dispose it. */
export function startNativeEngine(
  config: EngineConfig,
  logger: Logger,
  shutdownGraceMs?: number,
): EngineProcess {
  return new EngineProcess({
    entry: new URL(`../engine/main${extname(import.meta.url)}`, import.meta.url),
    config,
    logger,
    ...(shutdownGraceMs !== undefined && { shutdownGraceMs }),
    // Native calls take turns on one worker thread: two at once would only fight for the same cores.
    env: { UV_THREADPOOL_SIZE: '1' },
  });
}
