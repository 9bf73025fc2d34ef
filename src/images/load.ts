import { type FileHandle, open } from 'node:fs/promises';
import { failure } from '../core/errors.ts';
import type { ImageSource } from '../core/request.ts';
import { fitToModel } from './fitToModel.ts';
import { takeImage } from './intake.ts';
import { maxFileBytes } from './limits.ts';
import type { ImageDetail } from './resizeRule.ts';

/** @throws AfterimageError image_not_found, image_not_readable, and everything `takeImage` throws */
export async function imageSourceFromFile(path: string, detail: ImageDetail): Promise<ImageSource> {
  return imageSourceFromBytes(await readLimited(path), detail);
}

/**
 * The source keeps the fitted pixels only: they are what the engine asks for, and often a tenth of the decoded ones.
 * @throws AfterimageError what `takeImage` throws
 */
export async function imageSourceFromBytes(bytes: Uint8Array, detail: ImageDetail): Promise<ImageSource> {
  const image = await takeImage(bytes);
  const { width, height, rgb } = await fitToModel(image, detail);
  return { digest: image.digest, width, height, pixels: async () => rgb };
}

const reasons: Readonly<Record<string, string>> = { EISDIR: 'it is a folder', EACCES: 'permission denied' };

async function readLimited(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { size } = await file.stat();
    if (size > maxFileBytes) throw failure('image_file_too_large', { bytes: size, limit: maxFileBytes });
    // Pipes and devices report no size, and a file can grow: the limit holds for what is read. `end` is inclusive.
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.createReadStream({ end: maxFileBytes, autoClose: false }))
      chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > maxFileBytes) {
      throw failure('image_file_too_large', { bytes: `over ${maxFileBytes}`, limit: maxFileBytes });
    }
    return bytes;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw failure('image_not_found', { path }, { cause: error });
    throw failure('image_not_readable', { path, reason: reasons[code] ?? code }, { cause: error });
  } finally {
    await file?.close();
  }
}
