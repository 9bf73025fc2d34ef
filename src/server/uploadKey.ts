import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type AfterimageError, failure } from '../core/errors.ts';
import { ensureFolder } from '../files/folders.ts';
import { replaceFile } from '../files/replaceFile.ts';
import { keyBytes } from '../files/seal.ts';
import { storageFailure } from '../files/storageFailure.ts';
import type { Store } from '../store/port.ts';

/** What tells one key from another without giving it away. */
const checkRecord = { tenant: '', kind: 'seal', id: 'upload' };

/**
 * The key that uploads are sealed under: the operator's, or one that lies at `path`, made the first time. With uploads in the store
 * that were sealed under another one there is none, since they could not be read.
 * @throws invalid_parameter, storage_*
 */
export async function uploadKeyFor(
  store: Store,
  { operatorKey, path }: { operatorKey: Uint8Array | undefined; path: string },
): Promise<Uint8Array> {
  const known = await store.records.get(checkRecord);
  const sealedBytes = (await store.blobs.usage()).upload ?? 0;
  const isNeeded = known !== undefined && sealedBytes > 0;
  const key = operatorKey ?? (await ownKey(path, isNeeded));
  const check = createHmac('sha256', key).update('afterimage upload key').digest();
  if (known && check.equals(known.value)) return key;
  if (isNeeded) throw otherKey(operatorKey, path);
  await store.records.compareAndSet(checkRecord, known?.version ?? 0, check, null);
  return key;
}

function otherKey(operatorKey: Uint8Array | undefined, path: string): AfterimageError {
  const where = `the pictures in ${dirname(path)} were sealed under another one; give that one, or move the folder away`;
  const problem = operatorKey ? `is not their key: ${where}` : `is missing: ${where}`;
  return failure('invalid_parameter', { param: 'stateKeyFile', problem });
}

async function ownKey(path: string, isNeeded: boolean): Promise<Uint8Array> {
  try {
    const key = readFileSync(path);
    if (key.length === keyBytes) return key;
    const reason = `it has ${key.length} bytes instead of ${keyBytes}; put the right one back, or move the folder away`;
    throw failure('storage_corrupt', { path, reason });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw storageFailure(error, path);
  }
  // An operator's key may have sealed what is there: then one that is made now is of no use.
  if (isNeeded) throw otherKey(undefined, path);
  const key = randomBytes(keyBytes);
  try {
    await ensureFolder(dirname(path));
    await replaceFile(path, async (file) => {
      await file.writeFile(key);
    });
  } catch (error) {
    throw storageFailure(error, path);
  }
  return key;
}
