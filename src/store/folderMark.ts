import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { failure } from '../core/errors.ts';
import { replaceFile } from '../files/replaceFile.ts';

/** How files lie in a data folder; the database has a format number of its own. */
const folderFormat = 1;

/** `afterimage.json`: says that a folder holds our data, in which format, and who opened it last. */
interface FolderMark {
  readonly format: number;
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly openedAt: string;
}

/**
 * Undefined in a folder no store was opened in yet.
 * @throws AfterimageError storage_corrupt, storage_newer_format
 */
export function readMark(path: string): FolderMark | undefined {
  const mark = parseMark(path);
  if (mark && mark.format > folderFormat) {
    throw failure('storage_newer_format', { path, format: mark.format, supported: folderFormat });
  }
  return mark;
}

/**
 * Only with the folder's lock. On a full volume a mark that is there stays as it is: its format is right, and a store that
 * can't be opened could free no space.
 */
export async function writeMark(path: string): Promise<void> {
  const mark: FolderMark = {
    format: folderFormat,
    pid: process.pid,
    host: hostname(),
    openedAt: new Date().toISOString(),
  };
  try {
    await replaceFile(path, async (file) => file.writeFile(`${JSON.stringify(mark, undefined, 2)}\n`));
  } catch (error) {
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    if (!full || readMark(path) === undefined) throw error;
  }
}

/**
 * Who has the folder, for a message. It may be the one before: the mark is written after the lock is taken, and not at all
 * on a full volume.
 */
export function describeOwner(path: string): string {
  const mark = readMark(path);
  return mark ? `last opened by pid ${mark.pid} on ${mark.host}` : 'just starting';
}

function parseMark(path: string): FolderMark | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const mark = JSON.parse(text) as FolderMark | null;
    if (Number.isInteger(mark?.format)) return mark as FolderMark;
  } catch (error) {
    throw failure('storage_corrupt', { path, reason: 'it is not JSON' }, { cause: error });
  }
  throw failure('storage_corrupt', { path, reason: 'it has no format number' });
}
