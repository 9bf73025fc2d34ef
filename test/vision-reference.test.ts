import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VisionEncoder } from '../src/engine/vision/encoder.ts';
import { readVisionFile, type VisionFile } from '../src/models/mmproj.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import type { VisionHyperparameters } from '../src/models/vision.ts';
import { compareVectors } from './helpers/compare.ts';
import { cpuBackend } from './helpers/cpuBackend.ts';
import { goldenPictures } from './helpers/goldenFeatures.ts';
import { writeRandomTower } from './helpers/randomTower.ts';
import { readReferenceTower, referenceFeatures } from './helpers/visionReference.ts';

const { native, backend } = await cpuBackend();

test('the reference gives the golden features of Hugging Face transformers', async () => {
  const { vision, visionHeader } = await resolveModelPair();
  const tower = await readReferenceTower(visionHeader, vision);
  const [, , , picture] = await goldenPictures();
  if (picture === undefined) throw new Error('too few golden pictures');
  const { relativeError } = compareVectors(referenceFeatures(tower, picture), picture.features);
  // What is left is the rounding of the file's weights to f16.
  expect(relativeError).toBeLessThan(5e-4);
});

const common = {
  patchSize: 16,
  mergeSize: 2,
  layerNormEps: 1e-6,
  imageMean: [0.5, 0.5, 0.5],
  imageStd: [0.5, 0.5, 0.5],
};

/** Released widths; depth, projection and position grid are cut, which changes the size of the work and not its kind. */
const towers: readonly [string, VisionHyperparameters][] = [
  [
    '2B',
    {
      ...common,
      hidden: 1024,
      heads: 16,
      feedForward: 4096,
      layers: 3,
      deepstackLayers: [0, 1],
      projectionDim: 512,
      positionGridSide: 12,
    },
  ],
  [
    '8B',
    {
      ...common,
      hidden: 1152,
      heads: 16,
      feedForward: 4304,
      layers: 3,
      deepstackLayers: [1],
      projectionDim: 512,
      positionGridSide: 12,
    },
  ],
];

describe.each(towers)('a random tower as wide as that of %s', (_, hyperparameters) => {
  const picture = {
    width: 160,
    height: 128,
    rgb: Uint8Array.from({ length: 160 * 128 * 3 }, (_value, i) => (Math.imul(i, 2654435761) >>> 24) & 255),
  };
  let folder: string;
  let file: VisionFile;
  let expected: Float32Array;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'afterimage-tower-'));
    const path = join(folder, 'mmproj.gguf');
    await writeRandomTower(path, hyperparameters, 7);
    file = await readVisionFile(path);
    expected = referenceFeatures(await readReferenceTower(file.header, file.vision), picture);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ['f16', 3e-3],
    ['bf16', 1e-2],
    ['q8_0', 1e-2],
  ] as const)('has the reference’s features with %s weights', async (weightType, limit) => {
    const pair = { vision: file.vision, visionHeader: file.header };
    const encoder = await VisionEncoder.load(native, backend, pair, { weightType });
    const job = encoder.begin(picture);
    while (!(await job.step()));
    const features = job.features();
    job.dispose();
    encoder.dispose();
    const { relativeError, cosine } = compareVectors(features, expected);
    expect(relativeError).toBeLessThanOrEqual(limit);
    expect(cosine).toBeGreaterThanOrEqual(0.9999);
  });
});
