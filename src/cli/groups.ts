import { type Command, Option } from 'commander';
import type { ApiFlags } from './apiClient.ts';
import { addKey, type FolderFlags, type KeyFlags, listKeys, revokeKey } from './keys.ts';
import { listSessions, removeSession, showSession } from './sessions.ts';
import { addSettingOptions } from './settingOptions.ts';

type Json = { json?: boolean };

const asJson = ['--json', 'as JSON'] as const;

/** `afterimage sessions`: asks a running server. */
export function addSessionCommands(program: Command): void {
  const group = program.command('sessions').description('sessions of a running server');
  const command = (usage: string, description: string): Command =>
    group
      .command(usage)
      .description(description)
      .addOption(
        new Option('--url <url>', 'the server').env('AFTERIMAGE_URL').default('http://127.0.0.1:8080'),
      )
      .option('--key <key>', 'an API key; better in AFTERIMAGE_API_KEY, where others cannot see it');
  command('list', "all sessions of the key's tenant")
    .option(...asJson)
    .action((flags: ApiFlags & Json) => listSessions(flags));
  command('show <id>', 'one session, by its id or that of its conversation or a response')
    .option(...asJson)
    .action((id: string, flags: ApiFlags & Json) => showSession(id, flags));
  command('rm <id>', 'end a session and erase everything made from it').action(
    (id: string, flags: ApiFlags) => removeSession(id, flags),
  );
}

/** `afterimage keys`: the table in the data folder, whether or not a server is running. */
export function addKeyCommands(program: Command): void {
  const group = program.command('keys').description('API keys of a data folder');
  const command = (usage: string, description: string): Command =>
    addSettingOptions(group.command(usage).description(description), ['dataFolder']);
  command('add', 'make a key and show it, this once')
    .requiredOption('--tenant <name>', 'whose sessions it opens')
    .option('--name <text>', 'what it is for')
    .option('--requests-per-minute <n>', "its own limit; default: the server's")
    .option('--tokens-per-minute <n>', 'the same for tokens, prompt and answer together')
    .option('--pictures-per-minute <n>', 'the same for pictures')
    .action((flags: KeyFlags & FolderFlags) => addKey(flags, flags));
  command('list', 'all keys, without their secrets')
    .option(...asJson)
    .action((flags: Json & FolderFlags) => listKeys(flags, flags));
  command('revoke <id>', 'refuse a key from now on, in a running server too').action(
    (id: string, flags: FolderFlags) => revokeKey(id, flags),
  );
}
