import type { EngineConfig } from '../engine/config.ts';
import type { GatewayConfig } from '../gateway/config.ts';
import type { Principal } from '../gateway/parts.ts';
import type { KeyOwner } from '../keys/keyTable.ts';
import { defaultSessionConfig, type SessionConfig } from '../session/config.ts';
import { stateFolder } from './dataFolder.ts';
import type { ServerConfig } from './settings.ts';
import { readStateKey } from './stateKey.ts';

/** What each part of the server is told of its settings. */
export function engineConfigOf(config: ServerConfig): EngineConfig {
  const { model, mmproj, gpu, threads, kvCells, stateCacheBytes, visionWeights, maxRunning } = config;
  const { hotIdleMs, ramIdleMs, stateDiskBytes, reserveBytes, idleTtlMs, drainMs, dataFolder } = config;
  return {
    gpu,
    maxRunning,
    kvType: config.kvType,
    ...{ featureType: config.featureType, hotIdleMs, ramIdleMs, reserveBytes },
    stateDiskBytes: config.retention === 'none' ? 0 : stateDiskBytes,
    unownedTtlMs: idleTtlMs,
    suspendMs: drainMs,
    stateFolder: stateFolder(dataFolder),
    ...(config.stateKeyFile !== undefined && { stateKey: readStateKey(config.stateKeyFile) }),
    ...(model !== undefined && { model }),
    ...(mmproj !== undefined && { mmproj }),
    ...(threads !== undefined && { threads }),
    ...(kvCells !== undefined && { kvCells }),
    ...(stateCacheBytes !== undefined && { stateCacheBytes }),
    ...(visionWeights !== undefined && { visionWeightType: visionWeights }),
  };
}

/** A turn may wait for its session and for an engine that starts before it holds its pictures. */
const unkeptPixelsMs = 3 * 60_000;

export function sessionConfigOf(config: ServerConfig): Partial<SessionConfig> {
  const { idleTtlMs, fileTtlMs, maxTurnMs, leaseWaitMs, maxRecordBytes, tenants } = config;
  const { pixelCacheBytes, eventLogBytes, retention } = config;
  return {
    ...{ idleTtlMs, fileTtlMs, maxTurnMs, leaseWaitMs, maxRecordBytes, pixelCacheBytes, eventLogBytes },
    retention,
    unheldMs: retention === 'pixels' ? defaultSessionConfig.unheldMs : unkeptPixelsMs,
    idleTtlMsOf: (tenant) => (Object.hasOwn(tenants, tenant) ? tenants[tenant]?.idleTtlMs : undefined),
  };
}

export function gatewayConfigOf(config: ServerConfig, keyRequired: boolean): GatewayConfig {
  const { localTenant, allowedHosts, modelAliases, maxBodyBytes, maxFileBytes, maxJsonDepth, pictureUrls } =
    config;
  const { slowReaderMs, requestsPerMinute, tokensPerMinute, picturesPerMinute } = config;
  return {
    keyRequired,
    limits: { requests: requestsPerMinute, tokens: tokensPerMinute, pictures: picturesPerMinute },
    ...{
      localTenant,
      allowedHosts,
      modelAliases,
      maxBodyBytes,
      maxFileBytes,
      maxJsonDepth,
      pictureUrls,
      slowReaderMs,
    },
  };
}

/** A key's own limits come before its tenant's, those before the server's. */
export function principalOf({ tenant, keyId, limits }: KeyOwner, config: ServerConfig): Principal {
  const own = Object.hasOwn(config.tenants, tenant) ? config.tenants[tenant] : undefined;
  const ofTenant = {
    requests: own?.requestsPerMinute,
    tokens: own?.tokensPerMinute,
    pictures: own?.picturesPerMinute,
  };
  const known = Object.entries({ ...ofTenant, ...limits }).filter(([, limit]) => limit !== undefined);
  return { tenant, keyId, limits: Object.fromEntries(known) as NonNullable<Principal['limits']> };
}
