import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { storageFailure } from '../../../files/storageFailure.ts';
import { folderNames } from './folderNames.ts';

/** Removes the keys and the objects of a folder that no `StateFolder` is open on. @throws AfterimageError storage_* */
export function wipeStateFolder(folder: string): void {
  const { masterKey, keyTable, objects } = folderNames;
  try {
    // Keys first: without them the rest can't be read.
    for (const name of [masterKey, keyTable, `${keyTable}-wal`, `${keyTable}-shm`, objects]) {
      rmSync(join(folder, name), { force: true, recursive: true });
    }
  } catch (error) {
    throw storageFailure(error, folder);
  }
}
