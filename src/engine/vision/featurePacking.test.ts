import { expect, test } from 'vitest';
import { compareVectors } from '../../../test/helpers/compare.ts';
import { goldenPictures } from '../../../test/helpers/goldenFeatures.ts';
import { openNative } from '../../llama/native.ts';
import { featurePacking, featureTypes } from './featurePacking.ts';

const { ggml } = await openNative('off', () => {});
const largest = { f32: 0, f16: 4e-4, q8_0: 8e-3 };

test.each(featureTypes)('%s keeps features within its error, and rounds once', async (type) => {
  for (const { name, features, featureWidth } of await goldenPictures()) {
    const { pack, unpack } = featurePacking(ggml, type, featureWidth);
    const packed = pack(features);
    const back = unpack(packed);
    const error = compareVectors(back, features).relativeError;
    console.log(`${name} ${type}: relative error ${error.toExponential(1)}, ${packed.length} bytes`);
    expect(error).toBeLessThanOrEqual(largest[type]);
    expect(packed.length).toBeLessThanOrEqual(features.byteLength * { f32: 1, f16: 0.5, q8_0: 0.27 }[type]);
    expect(pack(back)).toEqual(packed);
  }
});

test('q8_0 refuses widths that are no whole blocks', () => {
  expect(() => featurePacking(ggml, 'q8_0', 48)).toThrow(/featureType.*multiple of 32.*48/);
});

test('f16 takes what it can not hold to its end', () => {
  const { pack, unpack } = featurePacking(ggml, 'f16', 32);
  expect([...unpack(pack(Float32Array.of(1e6, -1e6, 1)))]).toEqual([65_504, -65_504, 1]);
});
