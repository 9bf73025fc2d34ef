import { afterAll, beforeAll, expect, test } from 'vitest';
import { samplesFolder } from '../bench/dialogues/samples.ts';
import { imageVectorBytes } from '../src/core/imageVector.ts';
import type { ChatMessage, GenerateResult, ImageSource } from '../src/core/request.ts';
import { Engine } from '../src/engine/engine.ts';
import { imageSourceFromFile } from '../src/images/load.ts';
import { silentLogger } from './helpers/silentLogger.ts';

let engine: Engine;
let images: ImageSource[];

beforeAll(async () => {
  const config = { gpu: 'off', kvCells: 4096, visionWeightType: 'f16' } as const;
  engine = await Engine.open(config, silentLogger);
  images = await Promise.all(
    ['s02a.png', 's02b.png'].map((name) => imageSourceFromFile(samplesFolder + name, 'auto')),
  );
});
afterAll(() => engine.dispose());

const showing = (...shown: ImageSource[]): ChatMessage[] => [
  {
    role: 'user',
    content: [...shown.map((image) => ({ type: 'image', image }) as const), { type: 'text', text: 'Hello.' }],
  },
];

async function answer(tenant: string, messages: ChatMessage[], session?: string): Promise<GenerateResult> {
  const request = { tenant, messages, maxOutputTokens: 4, ...(session && { session }) };
  for await (const event of engine.generate(request)) if (event.type === 'done') return event.result;
  throw new Error('no result');
}

test('an answer brings the vectors of its pictures, the same from every tier', async () => {
  const encoded = await answer('a', showing(...images));
  expect(encoded.usage.imagesEncoded).toBe(2);
  expect(encoded.imageVectors?.map(({ digest }) => digest)).toEqual(images.map(({ digest }) => digest));
  for (const { vector, width, height } of encoded.imageVectors ?? []) {
    expect(vector.length).toBe(imageVectorBytes);
    expect([width % 32, height % 32]).toEqual([0, 0]);
  }
  const hot = await answer('a', showing(...images));
  expect(hot.usage.imagesEncoded).toBe(0);
  const features = await answer('a', showing(images[1] as ImageSource, images[0] as ImageSource));
  expect(features.usage.imagesEncoded).toBe(0);
  const other = await engine.prewarm({ tenant: 'b', messages: showing(...images) });
  expect(hot.imageVectors).toEqual(encoded.imageVectors);
  expect(features.imageVectors?.toReversed()).toEqual(encoded.imageVectors);
  expect(other.imageVectors).toEqual(encoded.imageVectors);
});

test('without pictures, and for pictures whose features were forgotten, there are none', async () => {
  expect(await answer('c', showing())).not.toHaveProperty('imageVectors');
  const [image] = images as [ImageSource];
  await answer('d', showing(image), 's');
  await engine.forget('d');
  const { imageVectors } = await answer('d', showing());
  expect(imageVectors).toBeUndefined();
});
