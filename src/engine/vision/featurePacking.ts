import { failure } from '../../core/errors.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import { q8BlockBytes, unpackQ8 } from './q8Blocks.ts';
import { q8BlockElements } from './weightType.ts';

/** How features are kept: as they came, halved with an error of about 2e-4, or quartered with one of about 6e-3. */
export const featureTypes = ['f16', 'q8_0', 'f32'] as const;
export type FeatureType = (typeof featureTypes)[number];

const largestHalf = 65_504;

/** Turns features into bytes that are kept, and back. What is unpacked is what was packed but for rounding; packing that again changes nothing. */
export interface FeaturePacking {
  readonly type: FeatureType;
  pack(features: Float32Array): Uint8Array;
  unpack(packed: Uint8Array): Float32Array;
}

/** @throws invalid_parameter when a width of features can't be cut into blocks of q8_0 */
export function featurePacking(ggml: Ggml, type: FeatureType, width: number): FeaturePacking {
  if (type === 'q8_0' && width % q8BlockElements !== 0) {
    const problem = `q8_0 needs features whose width is a multiple of ${q8BlockElements}, this model's have ${width}`;
    throw failure('invalid_parameter', { param: 'featureType', problem });
  }
  return { type, ...packings[type](ggml) };
}

const packings: Record<FeatureType, (ggml: Ggml) => Omit<FeaturePacking, 'type'>> = {
  f32: () => ({
    pack: (features) => new Uint8Array(features.buffer, features.byteOffset, features.byteLength).slice(),
    unpack: (packed) => new Float32Array(packed.slice().buffer),
  }),
  f16: (ggml) => ({
    pack: (features) => {
      const packed = new Uint8Array(2 * features.length);
      ggml.ggml_fp32_to_fp16_row(withinHalf(features), packed, features.length);
      return packed;
    },
    unpack: (packed) => {
      const features = new Float32Array(packed.length / 2);
      ggml.ggml_fp16_to_fp32_row(packed, features, features.length);
      return features;
    },
  }),
  q8_0: (ggml) => ({
    pack: (features) => {
      const packed = new Uint8Array((features.length / q8BlockElements) * q8BlockBytes);
      ggml.ggml_quantize_chunk(ggmlType.Q8_0, features, packed, 0, 1, features.length, null);
      return packed;
    },
    unpack: (packed) => unpackQ8(ggml, packed),
  }),
};

/** f16 ends at 65,504: what lies beyond is taken to its end, and not to infinity. */
function withinHalf(features: Float32Array): Float32Array {
  if (!features.some((value) => Math.abs(value) > largestHalf)) return features;
  return features.map((value) => Math.min(largestHalf, Math.max(-largestHalf, value)));
}
