import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { AfterimageError, failure } from '../core/errors.ts';

/** Free bytes on the volume of a file or folder, as far as this user may take them. */
export function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/**
 * @param path whose parent exists
 * @param bytes what was to be written, `more` where it isn't known
 */
export function storageFull(
  path: string,
  bytes: number | 'more',
  reserveBytes: number,
  options?: ErrorOptions,
): AfterimageError {
  const freeBytes = freeBytesAt(dirname(path));
  return failure('storage_full', { path, bytes, freeBytes, reserveBytes }, options);
}

/**
 * What to throw for an error that the operating system or SQLite gave for `path`. Errors of neither are bugs or have a code
 * already, and come back as they are.
 */
export function storageFailure(error: unknown, path: string, bytes: number | 'more' = 'more'): unknown {
  if (!(error instanceof Error) || error instanceof AfterimageError) return error;
  const options = { cause: error };
  const reason = error.message;
  switch (kindOf(error)) {
    case 'full':
      return storageFull(path, bytes, 0, options);
    case 'readOnly':
      return failure('storage_read_only', { path, reason }, options);
    case 'corrupt':
      return failure('storage_corrupt', { path, reason }, options);
    case 'unavailable':
      return failure('storage_unavailable', { path, reason }, options);
    case 'bug':
      return error;
  }
}

type Kind = 'full' | 'readOnly' | 'corrupt' | 'unavailable' | 'bug';

const systemKinds: Readonly<Record<string, Kind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EROFS: 'readOnly',
  EACCES: 'readOnly',
  EPERM: 'readOnly',
};

/** Result codes of sqlite.org/rescode.html; a code that is missing means a wrong statement. */
const sqliteKinds: Readonly<Record<number, Kind>> = {
  3: 'readOnly', // PERM
  5: 'unavailable', // BUSY
  7: 'unavailable', // NOMEM
  8: 'readOnly', // READONLY
  10: 'unavailable', // IOERR
  11: 'corrupt', // CORRUPT
  13: 'full', // FULL
  14: 'unavailable', // CANTOPEN
  15: 'unavailable', // PROTOCOL
  26: 'corrupt', // NOTADB
};

/** Growing the shared index of the write-ahead log fails so on a full volume. */
const ioErrorShmSize = 4874;

function kindOf(error: Error): Kind {
  const { code, syscall, errcode } = error as NodeJS.ErrnoException & { errcode?: number };
  if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) {
    if (errcode === ioErrorShmSize) return 'full';
    // The low byte is the primary code, the rest says more about it.
    return sqliteKinds[errcode & 0xff] ?? 'bug';
  }
  if (code === undefined || syscall === undefined) return 'bug';
  return systemKinds[code] ?? 'unavailable';
}
