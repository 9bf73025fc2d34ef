import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '../core/errors.ts';
import { type GgufHeader, readGgufHeader } from './ggufHeader.ts';
import { readManifest, verifyAgainstManifest } from './manifest.ts';
import { findVisionFile, fits, readVisionFile, type VisionFile } from './mmproj.ts';
import { printable } from './printable.ts';
import { readText, type TextArchitecture, type TextHyperparameters } from './text.ts';
import type { VisionHyperparameters } from './vision.ts';

export interface ModelPaths {
  readonly model?: string | undefined;
  readonly mmproj?: string | undefined;
}

/** A text model and the vision file that fits it, checked as far as their headers go. */
export interface ModelPair {
  /** `general.name` of the text model, else its file name without `.gguf`. */
  readonly name: string;
  readonly modelPath: string;
  readonly mmprojPath: string;
  readonly architecture: TextArchitecture;
  /** Longest context the model was made for. */
  readonly contextTokens: number;
  readonly embeddingLength: number;
  readonly blockCount: number;
  /** Bytes one token takes in an f16 KV cache. */
  readonly kvBytesPerToken: number;
  readonly kvHeadSize: number;
  /** Jinja source. */
  readonly chatTemplate: string;
  readonly vision: VisionHyperparameters;
  /** Where the vision tower's tensors lie in the mmproj file. */
  readonly visionHeader: GgufHeader;
}

/** The repository's or the package's `models/`: two levels up from src/models/ and from dist/models/ alike. */
const embeddedFolder = fileURLToPath(new URL('../../models', import.meta.url));

async function chosenPaths(asked: ModelPaths): Promise<{ model: string; mmproj?: string | undefined }> {
  if (asked.model !== undefined) return { model: asked.model, mmproj: asked.mmproj };
  const embedded = (await readManifest(embeddedFolder))?.default;
  if (embedded === undefined) {
    throw failure('model_file_not_found', { path: join(embeddedFolder, 'manifest.json') });
  }
  return {
    model: join(embeddedFolder, embedded.model),
    mmproj: asked.mmproj ?? join(embeddedFolder, embedded.mmproj),
  };
}

function nameOf(header: GgufHeader): string {
  const name = header.metadata.get('general.name');
  return typeof name === 'string' && name !== '' ? printable(name) : basename(header.path, '.gguf');
}

/** Written as width x (1 + DeepStack layers): files can differ in either. */
function requireFit(model: string, text: TextHyperparameters, { header, vision }: VisionFile): void {
  if (fits(vision, text)) return;
  throw failure('model_width_mismatch', {
    model,
    mmproj: header.path,
    visionWidth: `${vision.projectionDim} x ${1 + vision.deepstackLayers.length}`,
    textWidth: `${text.embeddingLength} x ${1 + text.deepstackLayers}`,
  });
}

/**
 * Finds and checks a model pair without any native code. Nothing given: the embedded pair. Only `model`: the vision file
 * that fits it in the same folder. Only `mmproj`: the embedded text model with it.
 *
 * Files listed in a `manifest.json` beside them are hashed first; of others only the headers are read.
 *
 * @throws AfterimageError one of the `model_*` rows except model_load_failed
 */
export async function resolveModelPair(paths: ModelPaths = {}): Promise<ModelPair> {
  const { model, mmproj } = await chosenPaths(paths);
  const modelPath = resolve(model);
  await verifyAgainstManifest(modelPath);
  const header = await readGgufHeader(modelPath);
  const text = readText(header);

  const mmprojPath = mmproj === undefined ? await findVisionFile(modelPath, text) : resolve(mmproj);
  await verifyAgainstManifest(mmprojPath);
  const visionFile = await readVisionFile(mmprojPath);
  requireFit(modelPath, text, visionFile);
  return {
    name: nameOf(header),
    modelPath,
    mmprojPath,
    architecture: text.architecture,
    contextTokens: text.contextTokens,
    embeddingLength: text.embeddingLength,
    blockCount: text.blockCount,
    kvBytesPerToken: text.kvBytesPerToken,
    kvHeadSize: text.kvHeadSize,
    chatTemplate: text.chatTemplate,
    vision: visionFile.vision,
    visionHeader: visionFile.header,
  };
}
