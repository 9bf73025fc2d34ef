import { fileURLToPath } from 'node:url';
import { type GgufHeader, readGgufHeader } from '../../src/models/ggufHeader.ts';
import { type ModelPaths, resolveModelPair } from '../../src/models/pair.ts';
import { writeSyntheticPair } from '../synthetic/pair.ts';
import { cutToDepth, modelShapes } from '../synthetic/shapes.ts';
import type { ModelOption } from './options.ts';
import { Vocabulary } from './vocabulary.ts';

/** The model that is measured. */
export interface Subject {
  readonly paths: ModelPaths;
  readonly name: string;
  /** Says so when weights are random or layers were left out. */
  readonly remark: string | undefined;
  /** Type that most bytes of the file have. */
  readonly textWeightType: string;
  readonly visionFileType: string;
  /** Side in pixels of the square one image token stands for. */
  readonly imageTokenPixels: number;
  readonly vocabulary: Vocabulary;
}

/** @throws AfterimageError one of the `model_*` rows */
export async function openSubject(option: ModelOption): Promise<Subject> {
  const paths = await pathsOf(option);
  const pair = await resolveModelPair(paths);
  const header = await readGgufHeader(pair.modelPath);
  return {
    paths,
    name: pair.name,
    remark: remarkOf(option),
    textWeightType: prevailingType(header),
    visionFileType: prevailingType(pair.visionHeader),
    imageTokenPixels: pair.vision.patchSize * pair.vision.mergeSize,
    vocabulary: new Vocabulary(header),
  };
}

async function pathsOf(option: ModelOption): Promise<ModelPaths> {
  if (option.kind === 'embedded') return {};
  if (option.kind === 'files') return { model: option.model, mmproj: option.mmproj };
  const { size, textType, depth } = option;
  const name = depth === undefined ? size : `${size}-depth${depth}`;
  const shape = depth === undefined ? modelShapes[size] : cutToDepth(modelShapes[size], depth);
  const folder = fileURLToPath(new URL(`../.weights/${name}`, import.meta.url));
  const { model, mmproj } = await writeSyntheticPair(folder, name, shape, textType);
  return { model: model.path, mmproj: mmproj.path };
}

function remarkOf(option: ModelOption): string | undefined {
  if (option.kind !== 'synthetic') return undefined;
  const { layers, vision } = modelShapes[option.size];
  const { depth } = option;
  if (depth === undefined) return 'random weights of the released shape';
  const kept = `${Math.min(depth, layers)} of ${layers} text and ${Math.min(depth, vision.layers)} of ${vision.layers} vision layers`;
  return `random weights, CUT to ${kept}: not the speed of the whole model`;
}

function prevailingType(header: GgufHeader): string {
  const bytes = new Map<string, number>();
  for (const { type, bytes: size } of header.tensors.values()) {
    bytes.set(type.name, (bytes.get(type.name) ?? 0) + size);
  }
  const [most] = [...bytes].sort(([, left], [, right]) => right - left);
  if (!most) throw new Error(`${header.path} has no tensors`);
  return most[0];
}
