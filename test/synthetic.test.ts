import { open, readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeSyntheticPair } from '../bench/synthetic/pair.ts';
import { randomTile } from '../bench/synthetic/randomTile.ts';
import { cutToDepth, modelShapes } from '../bench/synthetic/shapes.ts';
import { TensorMaker } from '../bench/synthetic/tensors.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import { temporaryFolder, tinyShape } from './helpers/gguf.ts';

test.each(['q8_0', 'q4_0', 'f16'] as const)('a synthetic %s pair passes every check', async (type) => {
  const folder = await temporaryFolder();
  const shape = { ...tinyShape, tied: false, vocabulary: 4096 };
  const { model, mmproj } = await writeSyntheticPair(folder, 'tiny', shape, type, new TensorMaker(1024));
  const pair = await resolveModelPair({ model: model.path });
  expect(pair).toMatchObject({ mmprojPath: mmproj.path, embeddingLength: 64, blockCount: 2 });
  expect((await readFile(model.path)).length).toBe(model.bytes);
});

test('files that are there are used again, half-written ones are not', async () => {
  const folder = await temporaryFolder();
  const shape = { ...tinyShape, vocabulary: 4096 };
  const first = await writeSyntheticPair(folder, 'tiny', shape, 'q8_0', new TensorMaker(1024));
  const file = await open(first.mmproj.path, 'r+');
  await file.truncate(first.mmproj.bytes - 1);
  await file.close();
  const second = await writeSyntheticPair(folder, 'tiny', shape, 'q8_0', new TensorMaker(1024));
  expect([first.model.reused, first.mmproj.reused]).toEqual([false, false]);
  expect([second.model.reused, second.mmproj.reused]).toEqual([true, false]);
  await resolveModelPair({ model: second.model.path });
});

test('random weights have mean 0 and standard deviation 0.02, and go on from call to call', async () => {
  const draw = randomTile('f32', 4096);
  const pieces: Uint8Array[] = [];
  await draw(async (bytes) => void pieces.push(bytes.slice()), 4 * 50_000);
  await draw(async (bytes) => void pieces.push(bytes.slice()), 4 * 50_000);
  const values = new Float32Array(Uint8Array.from(Buffer.concat(pieces)).buffer);
  expect(values.every(Number.isFinite)).toBe(true);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.001);
  expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
  expect(values.slice(0, 32)).not.toEqual(values.slice(50_000, 50_032));
});

test('a shape cut to any depth keeps its DeepStack layers inside both towers', () => {
  fc.assert(
    fc.property(fc.constantFrom('2b', '4b', '8b'), fc.integer({ min: 1, max: 50 }), (size, depth) => {
      const whole = modelShapes[size];
      const cut = cutToDepth(whole, depth);
      const { deepstackLayers, layers } = cut.vision;
      expect(deepstackLayers.every((layer) => layer >= 0 && layer < layers)).toBe(true);
      expect(deepstackLayers).toEqual([...new Set(deepstackLayers)].sort((a, b) => a - b));
      expect(deepstackLayers.length).toBeLessThanOrEqual(cut.layers);
      if (depth >= whole.layers) expect(cut).toEqual(whole);
    }),
  );
});
