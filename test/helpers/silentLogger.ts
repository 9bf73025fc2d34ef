import type { Logger } from '../../src/engine/ipc/logger.ts';

const ignore = (): void => {};
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
