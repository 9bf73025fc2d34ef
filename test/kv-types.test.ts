import { expect, test } from 'vitest';
import { agreement } from '../bench/dialogues/agreement.ts';
import { answerSamples } from '../bench/dialogues/answers.ts';
import { readSamples } from '../bench/dialogues/samples.ts';
import { sequenceCost } from '../bench/kv/sequenceCost.ts';
import { type KvType, kvBytesPerToken, kvTypes } from '../src/engine/decode/kvType.ts';
import { resolveModelPair } from '../src/models/pair.ts';

const answers = (kvType: KvType) =>
  answerSamples({ gpu: 'off', visionWeightType: 'f16', kvCells: 4096, kvType }, readSamples());

test('q8_0 and q4_0 caches answer the sample dialogues nearly as f16 does', {
  timeout: 180_000,
}, async () => {
  const reference = await answers('f16');
  expect(reference.map(({ result }) => result.text)).toEqual(reference.map(({ turn }) => turn.hf));
  const q8 = agreement(await answers('q8_0'), reference);
  const q4 = agreement(await answers('q4_0'), reference);
  expect(q8.equalAnswers).toBeGreaterThanOrEqual(0.99 * q8.answers);
  expect(q4.equalAnswers).toBeGreaterThanOrEqual(0.95 * q4.answers);
});

test('a saved sequence takes what its type says', { timeout: 60_000 }, async () => {
  const { kvBytesPerToken: f16 } = await resolveModelPair();
  for (const kvType of kvTypes) {
    const { stateBytesPerToken } = await sequenceCost(kvType);
    const values = kvBytesPerToken(f16, kvType);
    // Positions and headers come on top.
    expect(stateBytesPerToken).toBeGreaterThan(values);
    expect(stateBytesPerToken).toBeLessThan(values + 64);
  }
});
