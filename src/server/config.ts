import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type AfterimageError, failure } from '../core/errors.ts';
import { type ServerConfig, type SettingName, settingNames, settings, tenantSettings } from './settings.ts';
import { fromText } from './settingTypes.ts';
import { flagOf, nearest, variableOf } from './spelling.ts';

type Values = Readonly<Record<string, unknown>>;

/** Variables with our prefix that are no settings of the server. */
const otherVariables = ['CONFIG', 'FAILPOINT', 'API_KEY', 'URL'].map((name) => `AFTERIMAGE_${name}`);

export interface ConfigSources {
  /** By name of the setting, as they were typed; `config` is the path of the file. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The settings a server runs with: flags over environment over the file that `--config` or AFTERIMAGE_CONFIG names, over
 * defaults. Relative paths in the file, too, are taken from the working directory.
 *
 * @throws invalid_parameter and unknown_parameter, which name the setting as it is spelled where it was set
 */
export function loadConfig({ flags, environment }: ConfigSources): ServerConfig {
  const { config: file = environment.AFTERIMAGE_CONFIG, ...given } = flags;
  const values = {
    ...(file !== undefined && fromFile(file)),
    ...fromEnvironment(environment),
    ...checked(given, { spell: flagOf, isText: true }),
  };
  const config = z.strictObject(settings).parse(values);
  if (config.maxWaitingPerTenant > config.maxWaiting && values.maxWaitingPerTenant !== undefined) {
    const problem = `must be at most maxWaiting, which is ${config.maxWaiting}, got ${config.maxWaitingPerTenant}`;
    throw failure('invalid_parameter', { param: 'maxWaitingPerTenant', problem });
  }
  const { retention, stateDiskBytes } = config;
  if (retention === 'features' && stateDiskBytes === 0) {
    const problem = 'features needs disk for them, but stateDiskBytes is 0';
    throw failure('invalid_parameter', { param: 'retention', problem });
  }
  if (retention === 'none' && values.stateDiskBytes !== undefined && stateDiskBytes > 0) {
    const problem = `must be 0 or left out with the retention none, got ${stateDiskBytes}`;
    throw failure('invalid_parameter', { param: 'stateDiskBytes', problem });
  }
  return { ...config, dataFolder: resolve(config.dataFolder) };
}

function fromFile(path: string): Values {
  const wrong = (problem: string, cause?: unknown): AfterimageError =>
    failure('invalid_parameter', { param: path, problem }, { cause });
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`could not be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
  let values: unknown;
  try {
    values = JSON.parse(content);
  } catch (error) {
    throw wrong('is not JSON', error);
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw wrong('must hold an object with settings');
  }
  return checked(values as Values, { spell: (name) => name, isText: false, place: ` in ${path}` });
}

function fromEnvironment(environment: ConfigSources['environment']): Values {
  const names = new Map<string, string>(settingNames.map((name) => [variableOf(name), name]));
  const given: Record<string, unknown> = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('AFTERIMAGE_') || otherVariables.includes(variable)) continue;
    const name = names.get(variable);
    if (name === undefined) throw unknown(variable, '', [...names.keys(), ...otherVariables]);
    given[name] = value;
  }
  return checked(given, { spell: variableOf, isText: true });
}

/** The values that are given, each as its setting's type. */
function checked(
  given: Values,
  source: { spell: (name: string) => string; isText: boolean; place?: string },
): Values {
  const { spell, isText, place = '' } = source;
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const setting: z.ZodType | undefined = Object.hasOwn(settings, name)
      ? settings[name as SettingName]
      : undefined;
    if (!setting) throw unknown(spell(name), place, settingNames.map(spell));
    const result = setting.safeParse(isText ? fromText(setting, value as string) : value);
    if (!result.success) throw refusal(spell(name), place, result.error.issues[0] as z.core.$ZodIssue);
    values[name] = result.data;
  }
  return values;
}

function refusal(name: string, place: string, issue: z.core.$ZodIssue): AfterimageError {
  const at = [name, ...issue.path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(tenantSettings.shape).map((one) => `${at}.${one}`);
    return unknown(`${at}.${issue.keys[0]}`, place, known);
  }
  // A key of a record is refused by the record; what is wrong with it lies one deeper.
  const problem = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message;
  return failure('invalid_parameter', { param: `${at}${place}`, problem: problem ?? issue.message });
}

function unknown(name: string, place: string, known: readonly string[]): AfterimageError {
  const near = nearest(name, known);
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  return failure('unknown_parameter', { param: `${name}${place}${hint}` });
}
