import { expect, test } from 'vitest';
import { writeSyntheticPair } from '../bench/synthetic/pair.ts';
import { TensorMaker } from '../bench/synthetic/tensors.ts';
import type { ChatMessage, GenerateResult } from '../src/core/request.ts';
import { Engine } from '../src/engine/engine.ts';
import { imageSourceFromBytes } from '../src/images/load.ts';
import { testPicture } from '../src/images/testPicture.ts';
import { temporaryFolder, tinyShape } from './helpers/gguf.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const shape = {
  ...tinyShape,
  vocabulary: 4096,
  contextTokens: 2048,
  experts: { count: 8, used: 2, feedForward: 32 },
  vision: { ...tinyShape.vision, hidden: 64, feedForward: 128 },
};

test('a mixture of experts answers about a picture and reuses it in the next turn', async () => {
  const folder = await temporaryFolder();
  const { model } = await writeSyntheticPair(folder, 'moe', shape, 'q8_0', new TensorMaker(1024));
  const engine = await Engine.open({ gpu: 'off', model: model.path }, silentLogger);
  try {
    const ask = async (messages: readonly ChatMessage[]): Promise<GenerateResult> => {
      for await (const event of engine.generate({ tenant: 'a', messages, maxOutputTokens: 8 })) {
        if (event.type === 'done') return event.result;
      }
      throw new Error('no result');
    };
    const image = await imageSourceFromBytes(await testPicture(96, 64), 'auto');
    const first: ChatMessage = {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text: 'What is it?' },
      ],
    };
    const { text, tokens, usage } = await ask([first]);
    expect(usage).toMatchObject({ imagesEncoded: 1, outputTokens: tokens.length });
    const next = await ask([
      first,
      { role: 'assistant', content: [{ type: 'text', text }], tokens },
      { role: 'user', content: [{ type: 'text', text: 'Really?' }] },
    ]);
    expect(next.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });
    expect(next.usage.reusedTokens).toBeGreaterThanOrEqual(usage.promptTokens);
  } finally {
    await engine.dispose();
  }
});
