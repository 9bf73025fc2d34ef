import { settingNames, settings } from '../../src/server/settings.ts';
import { describeSetting } from '../../src/server/settingTypes.ts';

/** The rows of the settings' table in `docs/configuration.md`. */
export function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const { description, defaultText } = describeSetting(settings[name]);
    return `| \`${name}\` | ${defaultText} | ${description} |`;
  });
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}
