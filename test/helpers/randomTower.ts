import { type GgufTensor, writeGguf } from '../../bench/synthetic/ggufWriter.ts';
import { towerShapes, type VisionHyperparameters } from '../../src/models/vision.ts';

const tileElements = 1 << 20;

/** xorshift32: the same tower for the same seed everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Random halves of either sign between 2^-3 and 1, mean square 0.23, times a power of two. */
function halfTile(next: () => number, exponent: number): Uint16Array<ArrayBuffer> {
  return Uint16Array.from({ length: tileElements }, () => {
    const sign = next() < 0.5 ? 0x8000 : 0;
    const exponentBits = 12 + Math.floor(next() * 3) + exponent;
    return sign | (exponentBits << 10) | Math.floor(next() * 1024);
  });
}

/**
 * Writes an mmproj file of this shape: f16 matrices scaled so that a matmul keeps the size of its input, f32 for the
 * rest, every value away from zero so that no part of the tower can be left out unnoticed.
 */
export async function writeRandomTower(
  path: string,
  vision: VisionHyperparameters,
  seed: number,
): Promise<void> {
  const next = random(seed);
  const tiles = new Map<number, Uint16Array<ArrayBuffer>>();
  const tensors: GgufTensor[] = [];
  for (const [name, shape] of towerShapes(vision)) {
    const count = shape.reduce((product, side) => product * side, 1);
    const isMatrix = shape.length > 1 && name !== 'v.position_embd.weight';
    if (!isMatrix) {
      const centre = name.endsWith('weight') && shape.length === 1 ? 1 : 0;
      const values = Float32Array.from({ length: count }, () => centre + 0.4 * (next() - 0.5));
      const bytes = new Uint8Array(values.buffer);
      tensors.push({ name, shape, ggmlType: 'f32', bytes: bytes.length, write: (sink) => sink(bytes) });
      continue;
    }
    const inner = count / (shape.at(-1) as number);
    const exponent = Math.round(Math.log2(2 / Math.sqrt(inner)));
    const tile = tiles.get(exponent) ?? halfTile(next, exponent);
    tiles.set(exponent, tile);
    // Every tensor starts elsewhere in the tile, so that no two are alike.
    const start = Math.floor(next() * tileElements);
    tensors.push({
      name,
      shape,
      ggmlType: 'f16',
      bytes: count * 2,
      write: async (sink) => {
        for (let done = 0; done < count; ) {
          const from = (start + done) % tileElements;
          const piece = tile.subarray(from, Math.min(tileElements, from + count - done));
          await sink(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
          done += piece.length;
        }
      },
    });
  }
  await writeGguf(
    path,
    {
      'general.architecture': 'clip',
      'clip.projector_type': 'qwen3vl_merger',
      'clip.vision.embedding_length': { u32: vision.hidden },
      'clip.vision.block_count': { u32: vision.layers },
      'clip.vision.attention.head_count': { u32: vision.heads },
      'clip.vision.feed_forward_length': { u32: vision.feedForward },
      'clip.vision.projection_dim': { u32: vision.projectionDim },
      'clip.vision.patch_size': { u32: vision.patchSize },
      'clip.vision.spatial_merge_size': { u32: vision.mergeSize },
      'clip.vision.attention.layer_norm_epsilon': { f32: vision.layerNormEps },
      'clip.vision.image_mean': { f32s: vision.imageMean },
      'clip.vision.image_std': { f32s: vision.imageStd },
      'clip.vision.is_deepstack_layers': {
        bools: Array.from({ length: vision.layers }, (_, layer) => vision.deepstackLayers.includes(layer)),
      },
    },
    tensors,
  );
}
