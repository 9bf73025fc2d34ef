import { mkdirSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Folders being made now: whoever needs one of them too waits until it is durable. */
const underWay = new Map<string, Promise<void>>();

/** Makes a folder and those above it, for their owner only. When it resolves, a power cut can't take them away. */
export async function ensureFolder(path: string): Promise<void> {
  const making = underWay.get(path) ?? makeFolder(path).finally(() => underWay.delete(path));
  underWay.set(path, making);
  await making;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
  } catch (error) {
    if (isThere(error)) return;
    if (!lacksParent(error, path)) throw error;
    await ensureFolder(dirname(path));
    // Some file systems (proc is one) take no folders and blame it on a parent that is there: no third time.
    await mkdir(path, 0o700).catch((again: unknown) => {
      if (!isThere(again)) throw again;
    });
  }
  await syncFolder(dirname(path));
}

/** As `ensureFolder`, but for the power cut. Node's own `recursive` never ends where a file system takes no folders. */
export function ensureFolderSync(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (isThere(error)) return;
    if (!lacksParent(error, path)) throw error;
    ensureFolderSync(dirname(path));
    try {
      mkdirSync(path, 0o700);
    } catch (again) {
      if (!isThere(again)) throw again;
    }
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
const isThere = (error: unknown): boolean => codeOf(error) === 'EEXIST';
const lacksParent = (error: unknown, path: string): boolean =>
  codeOf(error) === 'ENOENT' && dirname(path) !== path;

/** Makes the names in a folder durable: files that were made, renamed or removed. */
export async function syncFolder(path: string): Promise<void> {
  // Windows can't open folders, and NTFS journals names by itself.
  if (process.platform === 'win32') return;
  await using folder = await open(path);
  await folder.sync();
}
