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
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await ensureFolder(dirname(path));
    await makeFolder(path);
    return;
  }
  await syncFolder(dirname(path));
}

/** Makes the names in a folder durable: files that were made, renamed or removed. */
export async function syncFolder(path: string): Promise<void> {
  // Windows can't open folders, and NTFS journals names by itself.
  if (process.platform === 'win32') return;
  await using folder = await open(path);
  await folder.sync();
}
