import { createHash } from 'node:crypto';
import { type FileHandle, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { failure } from '../core/errors.ts';
import { openModelFile } from './modelFile.ts';

const formatName = 'afterimage-models/1';

const manifestShape = z.strictObject({
  format: z.literal(formatName),
  /** File names of the pair that is used when none is asked for. */
  default: z.strictObject({ model: z.string(), mmproj: z.string() }).optional(),
  files: z.record(
    z.string(),
    z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

/** What `manifest.json` in a folder of model files says (described in models/README.md). */
export type ModelManifest = z.infer<typeof manifestShape>;

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Many programs write a `manifest.json`: one that does not name our format is not ours, and undefined like a missing one.
 * @throws AfterimageError model_metadata_invalid when it is ours and broken
 */
export async function readManifest(folder: string): Promise<ModelManifest | undefined> {
  const path = join(folder, 'manifest.json');
  const text = await readIfThere(path);
  if (text?.includes(formatName) !== true) return undefined;
  try {
    return manifestShape.parse(JSON.parse(text));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const field = issue === undefined ? 'the file' : issue.path.join('.') || 'the top level';
    const problem = issue === undefined ? 'not valid JSON' : `invalid (${issue.message})`;
    throw failure('model_metadata_invalid', { path, field, problem }, { cause: error });
  }
}

async function sha256(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(file.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false }), hash);
  return hash.digest('hex');
}

/**
 * Compares a file with the manifest lying beside it; a file that no manifest lists passes. Reads the whole file when it
 * is listed.
 * @throws AfterimageError model_file_changed; model_metadata_invalid for a broken manifest; the errors of `openModelFile`
 */
export async function verifyAgainstManifest(path: string): Promise<void> {
  const manifest = await readManifest(dirname(path));
  const listed = new Map(Object.entries(manifest?.files ?? {})).get(basename(path));
  if (listed === undefined) return;
  const { file, fileBytes } = await openModelFile(path);
  try {
    if (fileBytes !== listed.bytes) {
      throw failure('model_file_changed', {
        path,
        field: 'bytes',
        expected: listed.bytes,
        actual: fileBytes,
      });
    }
    const digest = await sha256(file);
    if (digest !== listed.sha256) {
      throw failure('model_file_changed', { path, field: 'sha256', expected: listed.sha256, actual: digest });
    }
  } finally {
    await file.close();
  }
}
