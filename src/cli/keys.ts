import { existsSync } from 'node:fs';
import { failure } from '../core/errors.ts';
import { type KeyInfo, type KeyLimits, KeyTable } from '../keys/keyTable.ts';
import { keyFile } from '../server/dataFolder.ts';
import { configFrom, type SettingFlags } from './settingOptions.ts';
import { table } from './table.ts';

export interface KeyFlags {
  readonly tenant: string;
  readonly name?: string;
  readonly requestsPerMinute?: string;
  readonly tokensPerMinute?: string;
  readonly picturesPerMinute?: string;
}

export interface FolderFlags extends SettingFlags {
  readonly config?: string;
  readonly dataFolder?: string;
}

/** `afterimage keys add`: the key on stdout, shown this once. */
export function addKey(flags: KeyFlags, folder: FolderFlags): void {
  const { tenant, name = '', requestsPerMinute, tokensPerMinute, picturesPerMinute } = flags;
  const limits: KeyLimits = {
    ...(requestsPerMinute !== undefined && { requests: limitOf('requests', requestsPerMinute) }),
    ...(tokensPerMinute !== undefined && { tokens: limitOf('tokens', tokensPerMinute) }),
    ...(picturesPerMinute !== undefined && { pictures: limitOf('pictures', picturesPerMinute) }),
  };
  const { id, key } = withKeys(folder, (keys) => keys.add({ tenant, name, limits }));
  process.stdout.write(`${key}\n`);
  process.stderr.write(`${id} for tenant ${tenant}. The key is not shown again.\n`);
}

/** `afterimage keys list`: no secrets, those are not kept. */
export function listKeys({ json }: { json?: boolean }, folder: FolderFlags): void {
  const keys = withMadeKeys(folder, (all) => all.list()) ?? [];
  if (json) {
    process.stdout.write(`${JSON.stringify(keys, undefined, 2)}\n`);
    return;
  }
  const rows = keys.map((key) => [
    key.keyId,
    key.tenant,
    key.name,
    new Date(key.createdAtMs).toISOString().slice(0, 10),
    key.lastUsedDay ?? 'never',
    describeLimits(key),
  ]);
  process.stdout.write(table([['ID', 'TENANT', 'NAME', 'CREATED', 'LAST USED', 'LIMITS A MINUTE'], ...rows]));
}

/** `afterimage keys revoke`: a running server refuses the key from now on. */
export function revokeKey(id: string, folder: FolderFlags): void {
  if (!withMadeKeys(folder, (keys) => keys.revoke(id))) throw failure('not_found', { object: 'key', id });
  process.stderr.write(`${id} is revoked.\n`);
}

/** Undefined where no key was ever made: looking makes no file and no folder. */
function withMadeKeys<T>(folder: FolderFlags, work: (keys: KeyTable) => T): T | undefined {
  return existsSync(keyFileOf(folder)) ? withKeys(folder, work) : undefined;
}

function withKeys<T>(folder: FolderFlags, work: (keys: KeyTable) => T): T {
  const keys = new KeyTable(keyFileOf(folder), (problem) => {
    throw problem;
  });
  try {
    return work(keys);
  } finally {
    keys.close();
  }
}

function keyFileOf({ config, dataFolder }: FolderFlags): string {
  return keyFile(configFrom({ config, dataFolder }).dataFolder);
}

function limitOf(unit: string, text: string): number | null {
  if (text === 'none') return null;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  const problem = `must be a whole number from 1, or none, got ${JSON.stringify(text)}`;
  throw failure('invalid_parameter', { param: `--${unit}-per-minute`, problem });
}

const describeLimits = ({ limits }: KeyInfo): string =>
  Object.entries(limits)
    .map(([unit, limit]) => `${limit ?? 'any'} ${unit}`)
    .join(', ') || "the server's";
