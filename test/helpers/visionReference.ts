import { open } from 'node:fs/promises';
import type { GgufHeader } from '../../src/models/ggufHeader.ts';
import type { VisionHyperparameters } from '../../src/models/vision.ts';
import { decodeHalves } from './half.ts';

/**
 * The Qwen3-VL vision tower (`Qwen3VLVisionModel` of Hugging Face transformers) in plain loops, to check the ggml graph
 * against: activations are f32, sums f64. It shares no code with the encoder, and adds the two temporal patch kernels'
 * products rather than the kernels.
 */
export interface ReferenceTower {
  readonly vision: VisionHyperparameters;
  /** f32 and f16 tensors of the mmproj file, in f32. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

export async function readReferenceTower(
  header: GgufHeader,
  vision: VisionHyperparameters,
): Promise<ReferenceTower> {
  const tensors = new Map<string, Float32Array>();
  await using file = await open(header.path, 'r');
  for (const { name, type, offset, bytes } of header.tensors.values()) {
    const data = new Uint8Array(bytes);
    await file.read(data, 0, bytes, offset);
    if (type.name !== 'f16' && type.name !== 'f32') throw new Error(`${name} is ${type.name}`);
    tensors.set(
      name,
      type.name === 'f32' ? new Float32Array(data.buffer) : decodeHalves(new Uint16Array(data.buffer)),
    );
  }
  return { vision, tensors };
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** [tokens, projectionDim x (1 + DeepStack layers)], like `EncodeJob.features`. */
export function referenceFeatures({ vision, tensors }: ReferenceTower, picture: Picture): Float32Array {
  const { hidden, layers, patchSize, mergeSize, layerNormEps, projectionDim, deepstackLayers } = vision;
  const get = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  };
  const linear = (name: string, x: Float32Array) => multiply(x, get(`${name}.weight`), get(`${name}.bias`));
  const norm = (name: string, x: Float32Array) =>
    layerNorm(x, get(`${name}.weight`), get(`${name}.bias`), layerNormEps);
  const merged = hidden * mergeSize ** 2;

  const places = patchPlaces(picture.height / patchSize, picture.width / patchSize, mergeSize);
  const pixels = patchPixels(picture, places, vision);
  let x = sum(
    multiply(pixels, get('v.patch_embd.weight'), get('v.patch_embd.bias')),
    multiply(pixels, get('v.patch_embd.weight.1'), new Float32Array(hidden)),
  );
  x = sum(x, positions(get('v.position_embd.weight'), places, vision, picture));
  const parts: Float32Array[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const block = `v.blk.${layer}`;
    const qkv = linear(`${block}.attn_qkv`, norm(`${block}.ln1`, x));
    x = sum(x, linear(`${block}.attn_out`, attention(qkv, places, vision)));
    const wide = linear(`${block}.ffn_up`, norm(`${block}.ln2`, x)).map(geluTanh);
    x = sum(x, linear(`${block}.ffn_down`, wide));
    if (!deepstackLayers.includes(layer)) continue;
    // Four neighbouring patches are one token: joining them changes no byte, only the row length (`merged`).
    const joined = layerNorm(
      x,
      get(`v.deepstack.${layer}.norm.weight`),
      get(`v.deepstack.${layer}.norm.bias`),
      layerNormEps,
    );
    parts.push(linear(`v.deepstack.${layer}.fc2`, linear(`v.deepstack.${layer}.fc1`, joined).map(geluErf)));
  }
  parts.unshift(linear('mm.2', linear('mm.0', norm('v.post_ln', x)).map(geluErf)));

  const tokens = (places.length * hidden) / merged;
  const features = new Float32Array(tokens * projectionDim * parts.length);
  parts.forEach((part, index) => {
    for (let token = 0; token < tokens; token++) {
      const row = part.subarray(token * projectionDim, (token + 1) * projectionDim);
      features.set(row, (token * parts.length + index) * projectionDim);
    }
  });
  return features;
}

interface Place {
  readonly row: number;
  readonly column: number;
}

function patchPlaces(rows: number, columns: number, mergeSize: number): Place[] {
  const places = Array.from({ length: rows * columns }, (_, i) => ({
    row: Math.floor(i / columns),
    column: i % columns,
  }));
  const block = ({ row, column }: Place) =>
    Math.floor(row / mergeSize) * columns + Math.floor(column / mergeSize);
  // Sorting is stable: within a block the patches stay row by row.
  return places.sort((a, b) => block(a) - block(b));
}

function patchPixels(
  { width, rgb }: Picture,
  places: readonly Place[],
  vision: VisionHyperparameters,
): Float32Array {
  const { patchSize, imageMean, imageStd } = vision;
  const values: number[] = [];
  for (const { row, column } of places) {
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < patchSize ** 2; i++) {
        const y = row * patchSize + Math.floor(i / patchSize);
        const x = column * patchSize + (i % patchSize);
        const value = (rgb[(y * width + x) * 3 + channel] as number) / 255;
        values.push((value - (imageMean[channel] as number)) / (imageStd[channel] as number));
      }
    }
  }
  return Float32Array.from(values);
}

function positions(
  table: Float32Array,
  places: readonly Place[],
  { hidden, positionGridSide: side, patchSize }: VisionHyperparameters,
  { width, height }: Picture,
): Float32Array {
  const source = (index: number, count: number) => (count > 1 ? (index * (side - 1)) / (count - 1) : 0);
  const out = new Float32Array(places.length * hidden);
  places.forEach(({ row, column }, patch) => {
    const y = source(row, height / patchSize);
    const x = source(column, width / patchSize);
    for (const nearY of new Set([Math.floor(y), Math.ceil(y)])) {
      for (const nearX of new Set([Math.floor(x), Math.ceil(x)])) {
        const weight = (1 - Math.abs(y - nearY)) * (1 - Math.abs(x - nearX));
        for (let i = 0; i < hidden; i++) {
          const at = patch * hidden + i;
          out[at] = (out[at] as number) + weight * (table[(nearY * side + nearX) * hidden + i] as number);
        }
      }
    }
  });
  return out;
}

/** Bidirectional attention with rotary positions: the first quarter of a head turns with the row, the next with the column. */
function attention(
  qkv: Float32Array,
  places: readonly Place[],
  { hidden, heads }: VisionHyperparameters,
): Float32Array {
  const size = hidden / heads;
  const half = size / 2;
  const out = new Float32Array(places.length * hidden);
  for (let head = 0; head < heads; head++) {
    const part = (index: number) =>
      places.map((_, patch) => {
        const start = patch * 3 * hidden + index * hidden + head * size;
        return qkv.slice(start, start + size);
      });
    const [queries, keys, values] = [part(0), part(1), part(2)];
    for (const vectors of [queries, keys]) {
      vectors.forEach((vector, patch) => {
        const { row, column } = places[patch] as Place;
        for (let i = 0; i < half; i++) {
          const quarter = i % (half / 2);
          const angle = (i < half / 2 ? row : column) * 10_000 ** ((-2 * quarter) / half);
          const [a, b] = [vector[i] as number, vector[i + half] as number];
          vector[i] = a * Math.cos(angle) - b * Math.sin(angle);
          vector[i + half] = b * Math.cos(angle) + a * Math.sin(angle);
        }
      });
    }
    queries.forEach((query, patch) => {
      const scores = keys.map((key) => dot(query, key, 0, 0, size) / Math.sqrt(size));
      const top = Math.max(...scores);
      const shares = scores.map((score) => Math.exp(score - top));
      const total = shares.reduce((a, b) => a + b);
      for (let i = 0; i < size; i++) {
        let mixed = 0;
        values.forEach((value, other) => {
          mixed += ((shares[other] as number) / total) * (value[i] as number);
        });
        out[patch * hidden + head * size + i] = mixed;
      }
    });
  }
  return out;
}

/** x [n, inner] times weights [outer, inner], plus bias [outer]. */
function multiply(x: Float32Array, weights: Float32Array, bias: Float32Array): Float32Array {
  const outer = bias.length;
  const inner = weights.length / outer;
  const rows = x.length / inner;
  const out = new Float32Array(rows * outer);
  for (let column = 0; column < outer; column++) {
    for (let row = 0; row < rows; row++) {
      out[row * outer + column] =
        dot(x, weights, row * inner, column * inner, inner) + (bias[column] as number);
    }
  }
  return out;
}

function dot(a: Float32Array, b: Float32Array, aStart: number, bStart: number, length: number): number {
  // Four sums: one alone waits for each addition. All lengths here are multiples of four.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0; i < length; i += 4) {
    s0 += (a[aStart + i] as number) * (b[bStart + i] as number);
    s1 += (a[aStart + i + 1] as number) * (b[bStart + i + 1] as number);
    s2 += (a[aStart + i + 2] as number) * (b[bStart + i + 2] as number);
    s3 += (a[aStart + i + 3] as number) * (b[bStart + i + 3] as number);
  }
  return s0 + s1 + s2 + s3;
}

function layerNorm(x: Float32Array, scale: Float32Array, shift: Float32Array, eps: number): Float32Array {
  const size = scale.length;
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += size) {
    const row = x.subarray(start, start + size);
    const mean = row.reduce((a, b) => a + b, 0) / size;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / size;
    row.forEach((value, i) => {
      out[start + i] =
        ((value - mean) / Math.sqrt(variance + eps)) * (scale[i] as number) + (shift[i] as number);
    });
  }
  return out;
}

function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + (b[i] as number));
}

function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function geluErf(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const polynomial = series.reduce((value, coefficient) => value * t + coefficient, 0) * t;
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}
