import { failure } from '../../core/errors.ts';
import { keyBytes } from '../../files/seal.ts';
import type { ResolvedEngineConfig } from '../config.ts';
import type { Logger } from '../ipc/logger.ts';
import { StateDisk } from './disk/stateDisk.ts';
import { wipeStateFolder } from './disk/wipeStateFolder.ts';

/**
 * Undefined when no folder is asked for, or no bytes in it, or it can't be opened: state is a cache, and an engine without it answers
 * all the same. Without bytes, what an earlier engine left there goes: nobody would see to its end.
 * @throws AfterimageError invalid_parameter for a key of another length, storage_* when what was left can't be removed
 */
export async function openDisk(
  config: Pick<ResolvedEngineConfig, 'stateFolder' | 'stateKey' | 'stateDiskBytes' | 'reserveBytes'>,
  fingerprint: string,
  logger: Logger,
  onEvicted: (ids: readonly string[]) => void,
): Promise<StateDisk | undefined> {
  const { stateFolder: folder, stateKey, stateDiskBytes: maxBytes, reserveBytes } = config;
  if (folder === undefined) return undefined;
  if (maxBytes === 0) {
    wipeStateFolder(folder);
    return undefined;
  }
  const masterKey = stateKey === undefined ? undefined : Buffer.from(stateKey, 'base64');
  if (masterKey && masterKey.length !== keyBytes) {
    const problem = `must be ${keyBytes} bytes as base64, got ${masterKey.length} bytes`;
    throw failure('invalid_parameter', { param: 'stateKey', problem });
  }
  try {
    return await StateDisk.open({
      folder,
      masterKey,
      fingerprint,
      maxBytes,
      reserveBytes,
      logger,
      onEvicted,
    });
  } catch (error) {
    logger.error({ reason: String(error) }, 'state: no disk tier, what leaves memory is computed again');
    return undefined;
  }
}
