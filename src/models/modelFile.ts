import { type FileHandle, open, stat } from 'node:fs/promises';
import { failure } from '../core/errors.ts';

/**
 * Opens a model file for reading; the caller closes it.
 * @throws AfterimageError model_file_not_found; model_file_not_gguf for what is no regular file; model_metadata_invalid
 * when it may not be read
 */
export async function openModelFile(path: string): Promise<{ file: FileHandle; fileBytes: number }> {
  try {
    const found = await stat(path);
    // Opening a pipe would wait for its writer.
    if (!found.isFile()) throw failure('model_file_not_gguf', { path });
    return { file: await open(path, 'r'), fileBytes: found.size };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw failure('model_file_not_found', { path }, { cause: error });
    }
    if (code === 'EACCES' || code === 'EPERM') {
      const problem = 'not readable (permission denied)';
      throw failure('model_metadata_invalid', { path, field: 'the file', problem }, { cause: error });
    }
    throw error;
  }
}
