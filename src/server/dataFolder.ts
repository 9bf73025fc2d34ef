import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the system keeps the data of a user's programs: XDG base directories, macOS and Windows conventions. */
export function defaultDataFolder(): string {
  const { LOCALAPPDATA, XDG_DATA_HOME } = process.env;
  const home = homedir();
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'Afterimage');
  if (process.platform === 'win32') return join(LOCALAPPDATA || join(home, 'AppData', 'Local'), 'Afterimage');
  return join(XDG_DATA_HOME || join(home, '.local', 'share'), 'afterimage');
}

/** Each part of the data folder has one owner: the store's folder is locked by the server, the keys are shared. */
export const storeFolder = (dataFolder: string): string => join(dataFolder, 'store');
/** Where the engine keeps attention state and features; all of it can be computed again. */
export const stateFolder = (dataFolder: string): string => join(dataFolder, 'state');
/** The key that uploads are sealed under, unless the operator brings one. */
export const uploadKeyFile = (dataFolder: string): string => join(dataFolder, 'uploads.key');
export const keyFile = (dataFolder: string): string => join(dataFolder, 'keys.sqlite');
