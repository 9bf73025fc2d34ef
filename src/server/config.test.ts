import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { AfterimageError } from '../core/errors.ts';
import { loadConfig } from './config.ts';
import { principalOf, sessionConfigOf } from './partConfigs.ts';
import { settingNames } from './settings.ts';
import { flagOf, nearest, variableOf } from './spelling.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function fileOf(content: unknown): string {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const load = (flags: Record<string, string> = {}, environment: Record<string, string> = {}) =>
  loadConfig({ flags, environment });

function refused(flags: Record<string, string>, environment: Record<string, string> = {}): string {
  try {
    load(flags, environment);
  } catch (error) {
    if (error instanceof AfterimageError) return `${error.message} [${error.code}]`;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('file, environment and flags, each over the one before; the rest is default', () => {
  const config = fileOf({
    port: 1,
    host: 'localhost',
    drainMs: 1,
    fileTtlMs: null,
    modelAliases: ['gpt-4o'],
  });
  const found = load({ config, port: '3' }, { AFTERIMAGE_PORT: '2', AFTERIMAGE_HOST: '::1', PORT: '9' });
  expect(found).toMatchObject({
    port: 3,
    host: '::1',
    drainMs: 1,
    fileTtlMs: null,
    modelAliases: ['gpt-4o'],
    idleTtlMs: 1_800_000,
    log: 'info',
  });
  expect(load({}, { AFTERIMAGE_CONFIG: config }).port).toBe(1);
  expect(load({ config: fileOf({}) }, { AFTERIMAGE_CONFIG: config }).port).toBe(8080);
});

test('texts mean what the file would say', () => {
  const found = load(
    {
      fileTtlMs: 'none',
      pictureUrls: 'true',
      modelAliases: 'a, b',
      tenants: '{"acme": {"idleTtlMs": 60000}}',
    },
    { AFTERIMAGE_REQUESTS_PER_MINUTE: 'none', AFTERIMAGE_ALLOWED_HOSTS: '' },
  );
  expect(found).toMatchObject({
    fileTtlMs: null,
    pictureUrls: true,
    modelAliases: ['a', 'b'],
    allowedHosts: [],
    requestsPerMinute: null,
    tenants: { acme: { idleTtlMs: 60_000 } },
  });
  expect(load({ dataFolder: 'here' }).dataFolder).toBe(resolve('here'));
});

test.each<[string, () => string, string]>([
  [
    'a flag',
    () => refused({ port: '65536' }),
    '--port: must be a whole number from 0 to 65535, got 65536. [invalid_parameter]',
  ],
  [
    'a flag that is no number',
    () => refused({ idleTtlMs: '30m' }),
    '--idle-ttl-ms: must be a whole number from 1000 to 86400000, got "30m". [invalid_parameter]',
  ],
  [
    'an empty flag',
    () => refused({ host: '' }),
    '--host: must be text, not empty, got "". [invalid_parameter]',
  ],
  [
    'a choice',
    () => refused({}, { AFTERIMAGE_GPU: 'rocm' }),
    'AFTERIMAGE_GPU: must be one of auto, off, cuda, vulkan, metal, got "rocm". [invalid_parameter]',
  ],
  [
    'yes',
    () => refused({ pictureUrls: 'yes' }),
    '--picture-urls: must be true or false, got "yes". [invalid_parameter]',
  ],
  [
    'none where there is a need',
    () => refused({ idleTtlMs: 'none' }),
    '--idle-ttl-ms: must be a whole number from 1000 to 86400000, got "none". [invalid_parameter]',
  ],
  [
    'a variable',
    () => refused({}, { AFTERIMAGE_DRAINMS: '1' }),
    'There is no parameter AFTERIMAGE_DRAINMS (did you mean AFTERIMAGE_DRAIN_MS?). [unknown_parameter]',
  ],
  [
    'a variable like no other',
    () => refused({}, { AFTERIMAGE_COLOUR_OF_THE_SKY: '1' }),
    'There is no parameter AFTERIMAGE_COLOUR_OF_THE_SKY. [unknown_parameter]',
  ],
  [
    'a tenant that is none',
    () => refused({ tenants: 'acme' }),
    '--tenants: must be an object, got "acme". [invalid_parameter]',
  ],
  [
    'more waiting of one than of all',
    () => refused({ maxWaiting: '4', maxWaitingPerTenant: '5' }),
    'maxWaitingPerTenant: must be at most maxWaiting, which is 4, got 5. [invalid_parameter]',
  ],
  [
    'more disk than there can be',
    () => refused({ stateDiskBytes: '9007199254740991' }),
    '--state-disk-bytes: must be a whole number from 0 to 1125899906842624, got 9007199254740991. [invalid_parameter]',
  ],
  [
    'features without a place for them',
    () => refused({ retention: 'features', stateDiskBytes: '0' }),
    'retention: features needs disk for them, but stateDiskBytes is 0. [invalid_parameter]',
  ],
  [
    'a place for what is not kept',
    () => refused({ retention: 'none', stateDiskBytes: '1000' }),
    'stateDiskBytes: must be 0 or left out with the retention none, got 1000. [invalid_parameter]',
  ],
])('refuses %s', (_, message, expected) => {
  expect(message()).toBe(expected);
});

test.each<[unknown, string]>([
  [
    { idelTtlMs: 1 },
    'There is no parameter idelTtlMs in FILE (did you mean idleTtlMs?). [unknown_parameter]',
  ],
  [{ toString: 1 }, 'There is no parameter toString in FILE. [unknown_parameter]'],
  [{ port: '8080' }, 'port in FILE: must be a whole number from 0 to 65535, got "8080". [invalid_parameter]'],
  [{ port: null }, 'port in FILE: must be a whole number from 0 to 65535, got null. [invalid_parameter]'],
  [{ modelAliases: 'a' }, 'modelAliases in FILE: must be a list of texts, got "a". [invalid_parameter]'],
  [{ modelAliases: [1] }, 'modelAliases.0 in FILE: must be text, not empty, got 1. [invalid_parameter]'],
  [
    { tenants: { Acme: {} } },
    'tenants.Acme in FILE: must be 1 to 64 of a-z, 0-9, _ and -, got "Acme". [invalid_parameter]',
  ],
  [
    { tenants: { acme: { idleTtl: 1 } } },
    'There is no parameter tenants.acme.idleTtl in FILE (did you mean tenants.acme.idleTtlMs?). [unknown_parameter]',
  ],
  [
    { tenants: { acme: { idleTtlMs: 1 } } },
    'tenants.acme.idleTtlMs in FILE: must be a whole number from 1000 to 86400000, got 1. [invalid_parameter]',
  ],
  [{ tenants: { acme: 5 } }, 'tenants.acme in FILE: must be an object, got 5. [invalid_parameter]'],
  ['[]', 'FILE: must hold an object with settings. [invalid_parameter]'],
  ['{port: 1}', 'FILE: is not JSON. [invalid_parameter]'],
])('refuses a file with %j', (content, expected) => {
  const config = fileOf(content);
  expect(refused({ config }).replaceAll(config, 'FILE')).toBe(expected);
});

test('refuses a file that is not there', () => {
  const config = join(folder, 'missing.json');
  expect(refused({ config })).toBe(`${config}: could not be read (ENOENT). [invalid_parameter]`);
});

test('whatever is typed is taken or refused by name', () => {
  fc.assert(
    fc.property(fc.constantFrom(...settingNames), fc.string(), (name, text) => {
      try {
        load({ [name]: text });
      } catch (error) {
        expect(error).toBeInstanceOf(AfterimageError);
        expect((error as Error).message).toContain(flagOf(name));
      }
    }),
    { numRuns: 500 },
  );
});

test('a name is spelled in three ways, none of them twice', () => {
  expect([variableOf('idleTtlMs'), flagOf('idleTtlMs')]).toEqual(['AFTERIMAGE_IDLE_TTL_MS', '--idle-ttl-ms']);
  expect(new Set(settingNames.map(variableOf)).size).toBe(settingNames.length);
  expect(nearest('prot', ['port', 'host'])).toBe('port');
  expect(nearest('sky', ['port', 'host'])).toBeUndefined();
});

test("a tenant's own life and limits reach the parts", () => {
  const tenants = JSON.stringify({ acme: { idleTtlMs: 5_000, tokensPerMinute: null, requestsPerMinute: 3 } });
  const config = load({ tenants });
  const { idleTtlMsOf } = sessionConfigOf(config);
  expect(['acme', 'other', 'constructor'].map((tenant) => idleTtlMsOf?.(tenant))).toEqual([
    5_000,
    undefined,
    undefined,
  ]);
  const principal = (tenant: string) =>
    principalOf({ tenant, keyId: 'key_1', limits: { requests: 9 } }, config);
  expect(principal('acme')).toEqual({
    tenant: 'acme',
    keyId: 'key_1',
    limits: { requests: 9, tokens: null },
  });
  expect(principal('constructor').limits).toEqual({ requests: 9 });
});
