import { failpointOf } from '../server/failpoint.ts';
import { type AfterimageServer, openServer } from '../server/openServer.ts';
import { exitCodes } from './exitCodes.ts';
import { createLogger } from './logger.ts';
import { configFrom, type SettingFlags } from './settingOptions.ts';

/** npm passes a Ctrl-C on that the terminal has sent already: two signals so close together are one. */
const sameSignalMs = 400;

export interface ServeFlags {
  readonly printConfig?: boolean;
}

/**
 * `afterimage serve`: one line on stdout once turns can be answered, then nothing but logs on stderr until a signal. The first
 * lets running turns end, the second ends at once.
 */
export async function serve({ printConfig, ...flags }: ServeFlags & SettingFlags): Promise<void> {
  const config = configFrom(flags);
  if (printConfig) {
    process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
    return;
  }
  const failpoint = failpointOf(process.env.AFTERIMAGE_FAILPOINT, config.engine);
  const logger = createLogger(config.log);
  const signalled = Promise.withResolvers<void>();
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstAt !== undefined && performance.now() - firstAt > sameSignalMs)
      process.exit(exitCodes.interrupted);
    if (firstAt === undefined) logger.info({ signal, drainMs: config.drainMs }, 'server: stopping');
    firstAt ??= performance.now();
    signalled.resolve();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  const server = await openServer(config, { logger, failpoint });
  try {
    await Promise.race([signalled.promise, untilFailed(server, config.dataFolder)]);
  } finally {
    await server.stop();
    logger.info({}, 'server: stopped');
  }
  // All is closed and written: a timer of an answer that was stopped must not keep the process.
  process.exit(exitCodes.ok);
}

/** Says when the engine is up; rejects when it never will be. */
async function untilFailed(server: AfterimageServer, dataFolder: string): Promise<never> {
  const { model } = await server.ready();
  process.stdout.write(`${model} at ${server.url}, data in ${dataFolder}\n`);
  return new Promise<never>(() => {});
}
