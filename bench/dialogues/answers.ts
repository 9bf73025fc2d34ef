import type { ChatMessage, ContentPart, GenerateResult } from '../../src/core/request.ts';
import { Engine } from '../../src/engine/engine.ts';
import { imageSourceFromFile } from '../../src/images/load.ts';
import { type Sample, type SampleTurn, samplesFolder } from './samples.ts';

export interface SampleAnswer {
  readonly turn: SampleTurn;
  readonly result: GenerateResult;
}

type Config = Parameters<typeof Engine.open>[0];

const silentLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Every turn of every dialogue, greedily, one after the other; what a dialogue goes on from is the engine's own answers. */
export async function answerSamples(config: Config, samples: readonly Sample[]): Promise<SampleAnswer[]> {
  const engine = await Engine.open(config, silentLogger);
  try {
    const answers: SampleAnswer[] = [];
    for (const { system, turns } of samples) {
      const messages: ChatMessage[] =
        system === null ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }];
      for (const turn of turns) {
        const content: ContentPart[] = [{ type: 'text', text: turn.user }];
        if (turn.image !== null) {
          const image = await imageSourceFromFile(samplesFolder + turn.image, 'auto');
          content.unshift({ type: 'image', image });
        }
        messages.push({ role: 'user', content });
        const result = await answerTo(engine, messages);
        answers.push({ turn, result });
        const { text, tokens } = result;
        messages.push({ role: 'assistant', content: [{ type: 'text', text }], tokens });
      }
    }
    return answers;
  } finally {
    await engine.dispose();
  }
}

async function answerTo(engine: Engine, messages: readonly ChatMessage[]): Promise<GenerateResult> {
  for await (const event of engine.generate({ tenant: 'bench', messages })) {
    if (event.type === 'done') return event.result;
  }
  throw new Error('the engine ended without a result');
}
