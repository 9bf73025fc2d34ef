import { towerShapes } from '../../src/models/vision.ts';
import type { GgufTensor, GgufValue } from './ggufWriter.ts';
import type { ModelShape } from './shapes.ts';
import type { TensorMaker } from './tensors.ts';

const patchSize = 16;
const mergeSize = 2;
const imageMean = [0.5, 0.5, 0.5];
const imageStd = [0.5, 0.5, 0.5];
const layerNormEps = 1e-6;

export function visionMetadata({ hidden, vision }: ModelShape, name: string) {
  return {
    'general.architecture': 'clip',
    'general.type': 'mmproj',
    'general.name': name,
    'general.file_type': { u32: 1 },
    'clip.has_vision_encoder': true,
    'clip.projector_type': 'qwen3vl_merger',
    'clip.use_gelu': true,
    'clip.vision.image_size': { u32: vision.positionGridSide * patchSize },
    'clip.vision.patch_size': { u32: patchSize },
    'clip.vision.embedding_length': { u32: vision.hidden },
    'clip.vision.feed_forward_length': { u32: vision.feedForward },
    'clip.vision.projection_dim': { u32: hidden },
    'clip.vision.block_count': { u32: vision.layers },
    'clip.vision.spatial_merge_size': { u32: mergeSize },
    'clip.vision.attention.head_count': { u32: vision.heads },
    'clip.vision.attention.layer_norm_epsilon': { f32: layerNormEps },
    'clip.vision.image_mean': { f32s: imageMean },
    'clip.vision.image_std': { f32s: imageStd },
    'clip.vision.is_deepstack_layers': {
      bools: Array.from({ length: vision.layers }, (_, layer) => vision.deepstackLayers.includes(layer)),
    },
  } satisfies Record<string, GgufValue>;
}

/** Matrices are f16, the position table and everything one-dimensional f32, as in the released files. */
export function visionTensors({ hidden, vision }: ModelShape, make: TensorMaker): GgufTensor[] {
  const shapes = towerShapes({
    ...vision,
    projectionDim: hidden,
    patchSize,
    mergeSize,
    layerNormEps,
    imageMean,
    imageStd,
  });
  return [...shapes].map(([name, shape]) => {
    const isNorm = /\.(ln1|ln2|norm|post_ln)\./.test(name);
    if (isNorm) return make.constant(name, shape[0] ?? 0, name.endsWith('.weight') ? 1 : 0);
    const isMatrix = shape.length > 1 && name !== 'v.position_embd.weight';
    return make.random(name, shape, isMatrix ? 'f16' : 'f32');
  });
}
