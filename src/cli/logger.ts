import pino, { type Logger as PinoLogger } from 'pino';

export type LogChoice = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** Logs go to stderr, so that stdout carries answers only. */
export function createLogger(level: LogChoice): PinoLogger {
  const output = pino.destination({ dest: 2, sync: true });
  // A full disk under the log must not end what is logged: such lines are lost.
  output.on('error', () => {});
  return pino({ level }, output);
}
