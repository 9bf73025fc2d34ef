import { StateDisk, type StateDiskOptions } from '../../src/engine/state/disk/stateDisk.ts';
import type { NewObject } from '../../src/engine/state/disk/stateFolder.ts';
import { silentLogger } from './silentLogger.ts';

export function openStateDisk(folder: string, options: Partial<StateDiskOptions> = {}): Promise<StateDisk> {
  const defaults = { fingerprint: 'model', maxBytes: 2 ** 30, reserveBytes: 0, logger: silentLogger };
  return StateDisk.open({ folder, ...defaults, ...options });
}

export function snapshotOf(session: string): NewObject {
  return { kind: 'snapshot', tenant: 'acme', scope: { session }, meta: session };
}

export function bytesOf(length: number): Uint8Array {
  return new Uint8Array(length).map((_, at) => at * 31 + (at >> 8));
}
