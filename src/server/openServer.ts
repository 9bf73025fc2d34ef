import type { Logger } from 'pino';
import { failure } from '../core/errors.ts';
import type { EngineInfo } from '../core/request.ts';
import { createGateway } from '../gateway/app.ts';
import { isLoopbackName } from '../gateway/http/browserGuard.ts';
import { GatewayMetrics } from '../gateway/observe/metrics.ts';
import { KeyTable } from '../keys/keyTable.ts';
import { SessionManager } from '../session/sessionManager.ts';
import type { Failpoint } from '../session/turnParts.ts';
import { openStore } from '../store/openStore.ts';
import { keyFile, storeFolder, uploadKeyFile } from './dataFolder.ts';
import { EngineWatch } from './engineWatch.ts';
import { listen } from './listener.ts';
import { engineConfigOf, gatewayConfigOf, principalOf, sessionConfigOf } from './partConfigs.ts';
import { pictureIntake } from './pictureIntake.ts';
import type { ServerConfig } from './settings.ts';
import { startEngine } from './startEngine.ts';
import { uploadKeyFor } from './uploadKey.ts';

export interface AfterimageServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Resolves when turns can be answered. @throws AfterimageError when the engine will never be up */
  ready(): Promise<EngineInfo>;
  /**
   * Takes no new turns and says so, lets running ones end within the drain budget, delivers their replies, and closes
   * everything. Idempotent.
   */
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly logger: Logger;
  readonly failpoint?: Failpoint | undefined;
}

/** How long the last replies may take once all turns have ended. */
const lastRepliesMs = 2_000;

/**
 * Opens everything a server is made of. It listens when this resolves; the engine may still be loading, and turns wait for it.
 *
 * @throws AfterimageError storage_locked and its like, key_needed, listen_failed; nothing is left open then
 */
export async function openServer(
  config: ServerConfig,
  { logger, failpoint }: ServerOptions,
): Promise<AfterimageServer> {
  const onProblem = (error: unknown) => logger.error({ err: error }, 'server: nobody could be told of this');
  // Reads the operator's key: nothing is opened yet that would have to be closed.
  const engineConfig = engineConfigOf(config);
  // Closed in the opposite order: turns, replies, engine, keys, store.
  await using opened = new AsyncDisposableStack();
  const store = await openStore(storeFolder(config.dataFolder), {
    reserveBytes: config.reserveBytes,
    onDamage: (damage) => logger.error({ ...damage }, 'store: a damaged blob is treated as absent'),
  });
  opened.defer(() => store.close());
  const uploadKey = await uploadKeyFor(store, {
    operatorKey:
      engineConfig.stateKey === undefined ? undefined : Buffer.from(engineConfig.stateKey, 'base64'),
    path: uploadKeyFile(config.dataFolder),
  });
  const keys = new KeyTable(keyFile(config.dataFolder), onProblem);
  opened.defer(() => keys.close());
  const keyRequired = !isLoopbackName(config.host);
  if (keyRequired && keys.isEmpty) {
    throw failure('key_needed', { host: config.host, command: 'afterimage keys add --tenant NAME' });
  }

  // Before the engine, so that a port that is taken is told at once. Nothing is waited for until the gateway is there, so no
  // request can come before it.
  let gateway: ReturnType<typeof createGateway>;
  const listener = await listen((request, env) => gateway.app.fetch(request, env), config);
  const engine = startEngine(config, engineConfig, logger);
  opened.defer(() => engine.dispose());
  opened.defer(() => listener.close(lastRepliesMs));
  const watch = new EngineWatch(engine, logger);
  opened.defer(() => watch.stop());
  const sessions = new SessionManager({
    store,
    engine,
    intake: pictureIntake,
    uploadKey,
    config: sessionConfigOf(config),
    onProblem,
    ...(failpoint && { failpoint }),
  });
  opened.defer(() => sessions.stop(config.drainMs));
  let draining = false;
  gateway = createGateway({
    sessions,
    engine,
    authenticate: (key) => {
      const owner = keys.authenticate(key);
      return owner && principalOf(owner, config);
    },
    isReady: () => watch.isUp && !draining && store.isInPlace,
    config: gatewayConfigOf(config, keyRequired),
    turns: new GatewayMetrics(),
    logger,
  });
  sessions.start();
  const { url } = listener;
  logger.info({ url, dataFolder: config.dataFolder, keyRequired }, 'server: listening');

  const all = opened.move();
  let stopping: Promise<void> | undefined;
  return {
    url,
    ready: async () => {
      const info = await engine.ready();
      await watch.check();
      return info;
    },
    stop: () => {
      draining = true;
      stopping ??= all.disposeAsync();
      return stopping;
    },
  };
}
