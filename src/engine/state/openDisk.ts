import type { ResolvedEngineConfig } from '../config.ts';
import type { Logger } from '../ipc/logger.ts';
import type { OwnedDisk } from './diskTier.ts';

export async function openDisk(
  _config: ResolvedEngineConfig,
  _fingerprint: string,
  _logger: Logger,
): Promise<OwnedDisk | undefined> {
  return undefined;
}
