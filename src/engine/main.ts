import type { EngineConfig } from './config.ts';
import { Engine } from './engine.ts';
import { serveOverIpc } from './ipc/serve.ts';

/** Entry of the engine process; the parent's `start` message brings the config. */
serveOverIpc((config, logger) => Engine.open(config as EngineConfig, logger));
