import { type Dirent, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { unfinishedSuffix } from '../../files/replaceFile.ts';
import { blobName } from './blobPath.ts';

/**
 * Removes what crashed writes and deleted blobs left behind, unfinished files and empty folders, and adds up the bytes of
 * each area. Files that are none of ours are left alone. Only before the first call on the store: it would take the folder
 * a write has just made.
 */
export function sweepBlobs(folder: string): Map<string, number> {
  return new Map(subfolders(folder).map((area) => [area, sweepFolder(join(folder, area))]));
}

/** Bytes of the blobs in it, at any depth. */
function sweepFolder(folder: string): number {
  let bytes = 0;
  for (const name of subfolders(folder)) {
    const path = join(folder, name);
    bytes += sweepFolder(path);
    if (readdirSync(path).length === 0) rmdirSync(path);
  }
  for (const { name } of entries(folder).filter((entry) => entry.isFile())) {
    const path = join(folder, name);
    if (blobName.test(name)) bytes += statSync(path).size;
    else if (name.endsWith(unfinishedSuffix) && blobName.test(name.slice(0, -unfinishedSuffix.length))) {
      rmSync(path);
    }
  }
  return bytes;
}

function subfolders(folder: string): string[] {
  return entries(folder).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function entries(folder: string): Dirent[] {
  return readdirSync(folder, { withFileTypes: true });
}
