import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readGgufHeader } from '../../src/models/ggufHeader.ts';
import { resolveModelPair } from '../../src/models/pair.ts';
import { type GgufTensor, type GgufValue, ggufFileBytes, writeGguf } from './ggufWriter.ts';
import type { TileType } from './randomTile.ts';
import type { ModelShape } from './shapes.ts';
import { TensorMaker } from './tensors.ts';
import { textMetadata, textTensors } from './textModel.ts';
import { visionMetadata, visionTensors } from './visionModel.ts';

export interface SyntheticFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether a file of this size was there already and was left as it is. */
  readonly reused: boolean;
}

async function writeOnce(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<SyntheticFile> {
  const bytes = ggufFileBytes(metadata, tensors);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const reused = found?.size === bytes;
  if (!reused) await writeGguf(path, metadata, tensors);
  return { path, bytes, reused };
}

/**
 * Writes a Qwen3-VL pair of this shape with seeded random weights into `folder`: text matrices of `type`, vision
 * matrices f16. Tokenizer and chat template are the embedded model's.
 */
export async function writeSyntheticPair(
  folder: string,
  name: string,
  shape: ModelShape,
  type: TileType,
  make: TensorMaker = new TensorMaker(),
): Promise<{ model: SyntheticFile; mmproj: SyntheticFile }> {
  await mkdir(folder, { recursive: true });
  const donor = await readGgufHeader((await resolveModelPair()).modelPath);
  const model = await writeOnce(
    join(folder, `${name}-${type}.gguf`),
    textMetadata(shape, `Synthetic Qwen3-VL ${name}`, type, donor),
    textTensors(shape, type, make),
  );
  const mmproj = await writeOnce(
    join(folder, `mmproj-${name}-f16.gguf`),
    visionMetadata(shape, `Synthetic Qwen3-VL ${name}`),
    visionTensors(shape, make),
  );
  return { model, mmproj };
}
