import { createHash } from 'node:crypto';
import { openModelFile } from '../models/modelFile.ts';
import type { ModelPair } from '../models/pair.ts';

const format = 1;
/** Of a model file that is hashed: its beginning (metadata, tokenizer, template, first tensors) and pieces all over it. */
const headBytes = 4 * 2 ** 20;
const pieceBytes = 4096;
const pieces = 256;

/** Everything besides the model files that changes bytes of attention state or features. */
export interface ByteSettings {
  /** Which build of which library computes, on what. */
  readonly build: string;
  readonly backend: string;
  readonly kvType: string;
  readonly visionWeightType: string;
  /** That this machine has. At a start without one of them features round otherwise by the order of sums; what is kept stays good. */
  readonly visionKernels: readonly string[];
  readonly featureType: string;
}

/**
 * Names what attention state and features were made with: state of another fingerprint is not looked at. A model file counts by
 * its size, its first 4 MiB and 256 pieces of 4 KiB spread over it: reading all of one takes as long as loading it, and files
 * that differ in a few weights only are not met in practice.
 */
export async function fingerprintOf(pair: ModelPair, settings: ByteSettings): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(['afterimage-fingerprint', format, settings]));
  for (const path of [pair.modelPath, pair.mmprojPath]) hash.update(await digestOf(path));
  return hash.digest('base64url');
}

async function digestOf(path: string): Promise<Buffer> {
  const { file, fileBytes } = await openModelFile(path);
  try {
    const hash = createHash('sha256').update(String(fileBytes));
    const take = async (offset: number, bytes: number): Promise<void> => {
      const piece = Buffer.alloc(Math.max(0, Math.min(bytes, fileBytes - offset)));
      const { bytesRead } = await file.read(piece, 0, piece.length, offset);
      hash.update(piece.subarray(0, bytesRead));
    };
    await take(0, headBytes);
    for (let piece = 1; piece <= pieces; piece++) {
      await take(Math.floor((fileBytes / (pieces + 1)) * piece), pieceBytes);
    }
    return hash.digest();
  } finally {
    await file.close();
  }
}
