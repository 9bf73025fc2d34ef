import type { GgufHeader } from './ggufHeader.ts';
import { floatField, floatListField, integerField, invalidField } from './metadataFields.ts';

/** The shape of a Qwen3-VL vision tower, from the `clip.vision.*` metadata of its mmproj file. */
export interface VisionHyperparameters {
  readonly hidden: number;
  readonly layers: number;
  /** Divides `hidden`; the size of a head is a multiple of 4, as its rotary halves need. */
  readonly heads: number;
  readonly feedForward: number;
  /** Width of one merged token's main features: the text model's `embeddingLength`. */
  readonly projectionDim: number;
  /** Pixels per side of a patch. */
  readonly patchSize: number;
  /** Patches per side of a merged token. */
  readonly mergeSize: number;
  /** Side of the square grid of learned positions. */
  readonly positionGridSide: number;
  readonly layerNormEps: number;
  /** Layers (0-based, ascending) after which DeepStack features are taken. */
  readonly deepstackLayers: readonly number[];
  /** Per channel R, G, B, for pixels in 0 to 1. */
  readonly imageMean: readonly number[];
  readonly imageStd: readonly number[];
}

/** Far outside every released model (1152 wide, 27 layers), far inside what arithmetic and memory bear. */
const width = { min: 1, max: 65_536 };
const count = { min: 1, max: 1024 };

const deepstackKey = 'clip.vision.is_deepstack_layers';

/** Files may leave the key out; then, as for llama.cpp, the tensors alone say which layers have a DeepStack merger. */
function readDeepstackLayers(header: GgufHeader, layers: number): number[] {
  const withTensors = Array.from({ length: layers }, (_, layer) => layer).filter((layer) =>
    header.tensors.has(`v.deepstack.${layer}.fc1.weight`),
  );
  const flags = header.metadata.get(deepstackKey);
  if (flags === undefined) return withTensors;
  if (!Array.isArray(flags) || flags.length !== layers || flags.some((flag) => typeof flag !== 'boolean')) {
    throw invalidField(header, deepstackKey, `not a list of ${layers} truth values`);
  }
  const flagged = flags.flatMap((flag, layer) => (flag ? [layer] : []));
  if (flagged.join() !== withTensors.join()) {
    const problem = `[${flagged}], but DeepStack tensors are there for layers [${withTensors}]`;
    throw invalidField(header, deepstackKey, problem);
  }
  return flagged;
}

function readPositionGridSide(header: GgufHeader): number {
  const name = 'v.position_embd.weight';
  const tensor = header.tensors.get(name);
  if (tensor === undefined) throw invalidField(header, `tensor ${name}`, 'missing');
  const positions = tensor.shape[1] ?? 0;
  const side = Math.sqrt(positions);
  if (!Number.isInteger(side) || side < 2) {
    throw invalidField(header, `tensor ${name}`, `of ${positions} positions, not a square grid`);
  }
  return side;
}

type Shapes = [name: string, shape: readonly number[]][];

function linear(name: string, input: number, output: number): Shapes {
  return [
    [`${name}.weight`, [input, output]],
    [`${name}.bias`, [output]],
  ];
}

function norm(name: string, size: number): Shapes {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
}

/** Every tensor of the tower with its shape, innermost side first. */
export function towerShapes(vision: VisionHyperparameters): ReadonlyMap<string, readonly number[]> {
  const { hidden, layers, feedForward, projectionDim, patchSize, mergeSize, positionGridSide } = vision;
  const merged = hidden * mergeSize ** 2;
  const shapes: Shapes = [
    ['v.patch_embd.weight', [patchSize, patchSize, 3, hidden]],
    ['v.patch_embd.weight.1', [patchSize, patchSize, 3, hidden]],
    ['v.patch_embd.bias', [hidden]],
    ['v.position_embd.weight', [hidden, positionGridSide ** 2]],
  ];
  for (let layer = 0; layer < layers; layer++) {
    const block = `v.blk.${layer}`;
    shapes.push(
      ...norm(`${block}.ln1`, hidden),
      ...linear(`${block}.attn_qkv`, hidden, 3 * hidden),
      ...linear(`${block}.attn_out`, hidden, hidden),
      ...norm(`${block}.ln2`, hidden),
      ...linear(`${block}.ffn_up`, hidden, feedForward),
      ...linear(`${block}.ffn_down`, feedForward, hidden),
    );
  }
  for (const layer of vision.deepstackLayers) {
    const merger = `v.deepstack.${layer}`;
    shapes.push(
      ...norm(`${merger}.norm`, merged),
      ...linear(`${merger}.fc1`, merged, merged),
      ...linear(`${merger}.fc2`, merged, projectionDim),
    );
  }
  shapes.push(
    ...norm('v.post_ln', hidden),
    ...linear('mm.0', merged, merged),
    ...linear('mm.2', merged, projectionDim),
  );
  return new Map(shapes);
}

/**
 * Reads the tower's shape and checks that every tensor of it is there with the shape it must have.
 * @throws AfterimageError model_metadata_invalid, naming the field or tensor
 */
export function readVision(header: GgufHeader): VisionHyperparameters {
  const layers = integerField(header, 'clip.vision.block_count', count);
  const vision: VisionHyperparameters = {
    hidden: integerField(header, 'clip.vision.embedding_length', width),
    layers,
    heads: integerField(header, 'clip.vision.attention.head_count', count),
    feedForward: integerField(header, 'clip.vision.feed_forward_length', width),
    projectionDim: integerField(header, 'clip.vision.projection_dim', width),
    patchSize: integerField(header, 'clip.vision.patch_size', { min: 1, max: 256 }),
    mergeSize: integerField(header, 'clip.vision.spatial_merge_size', { min: 1, max: 16 }),
    positionGridSide: readPositionGridSide(header),
    layerNormEps: floatField(header, 'clip.vision.attention.layer_norm_epsilon', { min: 1e-12, max: 0.1 }),
    deepstackLayers: readDeepstackLayers(header, layers),
    imageMean: floatListField(header, 'clip.vision.image_mean', 3, { min: 0, max: 1 }),
    imageStd: floatListField(header, 'clip.vision.image_std', 3, { min: 1e-3, max: 1 }),
  };
  const headSize = vision.hidden / vision.heads;
  if (!Number.isInteger(headSize / 4)) {
    const problem = `${vision.heads}, heads of ${vision.hidden} / ${vision.heads} are no multiple of 4`;
    throw invalidField(header, 'clip.vision.attention.head_count', problem);
  }
  for (const [name, shape] of towerShapes(vision)) {
    const actual = header.tensors.get(name)?.shape.join('x');
    if (actual === undefined) throw invalidField(header, `tensor ${name}`, 'missing');
    if (actual !== shape.join('x')) {
      throw invalidField(header, `tensor ${name}`, `of shape ${actual}, expected ${shape.join('x')}`);
    }
  }
  return vision;
}
