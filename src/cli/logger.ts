import pino from 'pino';
import type { Logger } from '../engine/ipc/logger.ts';

export type LogChoice = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** Logs go to stderr, so that stdout carries answers only. */
export function createLogger(level: LogChoice): Logger {
  return pino({ level }, pino.destination({ dest: 2, sync: true }));
}
