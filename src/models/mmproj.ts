import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { failure } from '../core/errors.ts';
import { type GgufHeader, readGgufHeader } from './ggufHeader.ts';
import { textField } from './metadataFields.ts';
import { printable } from './printable.ts';
import type { TextHyperparameters } from './text.ts';
import { readVision, type VisionHyperparameters } from './vision.ts';

const supportedProjector = 'qwen3vl_merger';

/** A vision file that passed every check of its own. */
export interface VisionFile {
  readonly header: GgufHeader;
  readonly vision: VisionHyperparameters;
}

function readProjector(header: GgufHeader): string {
  const architecture = textField(header, 'general.architecture');
  if (architecture !== 'clip') return `${architecture} (not clip)`;
  // Files that hold more than one encoder name the projector of each.
  const key = header.metadata.has('clip.projector_type')
    ? 'clip.projector_type'
    : 'clip.vision.projector_type';
  return textField(header, key);
}

/**
 * @throws AfterimageError model_projector_unsupported, model_metadata_invalid and the errors of `readGgufHeader`
 */
export async function readVisionFile(path: string): Promise<VisionFile> {
  const header = await readGgufHeader(path);
  const projector = readProjector(header);
  if (projector !== supportedProjector) {
    const details = { path, projector: printable(projector), supported: supportedProjector };
    throw failure('model_projector_unsupported', details);
  }
  return { header, vision: readVision(header) };
}

/** Whether one image token's features are what the text model takes: as wide, and as many DeepStack layers. */
export function fits(vision: VisionHyperparameters, text: TextHyperparameters): boolean {
  return (
    vision.projectionDim === text.embeddingLength && vision.deepstackLayers.length === text.deepstackLayers
  );
}

/**
 * Path of the one vision file in the text model's folder that fits it, among the GGUF files with `mmproj` in their name.
 * A file that cannot be read is an error only when no other fits.
 * @throws AfterimageError model_mmproj_missing, model_mmproj_ambiguous
 */
export async function findVisionFile(modelPath: string, text: TextHyperparameters): Promise<string> {
  const folder = dirname(modelPath);
  const names = (await readdir(folder)).sort();
  const candidates = names.filter((name) => /mmproj.*\.gguf$/i.test(name) && name !== basename(modelPath));
  const results = await Promise.allSettled(candidates.map((name) => readVisionFile(join(folder, name))));
  const fitting = results
    .filter((result) => result.status === 'fulfilled')
    .map((result) => result.value)
    .filter(({ vision }) => fits(vision, text));
  const [found, ...others] = fitting;
  if (others.length > 0) {
    const names = fitting.map(({ header }) => basename(header.path)).join(', ');
    throw failure('model_mmproj_ambiguous', { path: modelPath, count: fitting.length, names });
  }
  if (found) return found.header.path;
  const broken = results.find((result) => result.status === 'rejected');
  if (broken) throw broken.reason;
  throw failure('model_mmproj_missing', { path: modelPath, expected: `mmproj-${basename(modelPath)}` });
}
