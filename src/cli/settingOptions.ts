import { type Command, Option } from 'commander';
import { loadConfig } from '../server/config.ts';
import { type ServerConfig, type SettingName, settingNames, settings } from '../server/settings.ts';
import { describeSetting } from '../server/settingTypes.ts';
import { flagOf } from '../server/spelling.ts';

/** Flags as they were typed, by name of the setting. */
export type SettingFlags = Readonly<Record<string, string | undefined>>;

const forDevelopment: readonly SettingName[] = ['engine', 'scriptedDelayMs'];

/** A flag for each setting. What is typed is checked with the configuration file and the environment, by the same rules. */
export function addSettingOptions(command: Command, names: readonly SettingName[] = settingNames): Command {
  command.option('-c, --config <file>', 'JSON file with settings');
  for (const name of names) {
    const { description, defaultText } = describeSetting(settings[name]);
    const flags = `${name === 'model' ? '-m, ' : ''}${flagOf(name)} <value>`;
    const option = new Option(flags, `${description} (default: ${defaultText})`.replaceAll('`', ''));
    command.addOption(option.hideHelp(forDevelopment.includes(name)));
  }
  return command;
}

export const configFrom = (flags: SettingFlags): ServerConfig =>
  loadConfig({ flags, environment: process.env });
