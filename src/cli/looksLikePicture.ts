import { open, stat } from 'node:fs/promises';
import { AfterimageError } from '../core/errors.ts';
import { sniff } from '../images/sniff.ts';

/** One word with the ending of a picture file: nobody asks that, though the file may be missing. */
const pictureName = /^\S+\.(jpe?g|png|webp|avif|gif|heic|heif|svg|tiff?|bmp|pdf)$/i;

/** As much as `sniff` looks at. */
const headBytes = 4096;

/** Whether the words where a question belongs are a picture file, or one of a kind that is not taken. */
export async function looksLikePicture(words: string): Promise<boolean> {
  if (pictureName.test(words)) return true;
  try {
    // Of a pipe reading would wait, and of a device never end.
    if (!(await stat(words)).isFile()) return false;
    await using file = await open(words);
    const { buffer, bytesRead } = await file.read(new Uint8Array(headBytes), 0, headBytes, 0);
    sniff(buffer.subarray(0, bytesRead));
    return true;
  } catch (error) {
    return error instanceof AfterimageError && error.code !== 'image_format_unknown';
  }
}
