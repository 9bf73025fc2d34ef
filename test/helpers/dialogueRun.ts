import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { InferencePort } from '../../src/core/inference.ts';
import type { ChatMessage, ContentPart, GenerateResult, ImageSource } from '../../src/core/request.ts';
import { imageSourceFromFile } from '../../src/images/load.ts';

export interface SampleTurn {
  readonly user: string;
  /** File name of the picture it brings. */
  readonly image: string | null;
  /** The reference's answer. */
  readonly hf: string;
}
export interface SampleDialogue {
  readonly system: string | null;
  readonly turns: readonly SampleTurn[];
}

const folder = fileURLToPath(new URL('../fixtures/samples/', import.meta.url));

export const sampleDialogues: readonly SampleDialogue[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(folder + name, 'utf8')) as SampleDialogue);

export const samplePicture = (name: string): Promise<ImageSource> =>
  imageSourceFromFile(folder + name, 'auto');

/** One conversation with an engine: its history, and what each turn gave. */
export class EngineDialogue {
  readonly session: string;
  readonly results: GenerateResult[] = [];
  history: ChatMessage[];

  constructor(session: string, system: string | null) {
    this.session = session;
    this.history = system === null ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }];
  }

  async ask(engine: InferencePort, text: string, image?: ImageSource): Promise<GenerateResult> {
    const content: ContentPart[] = [{ type: 'text', text }];
    if (image) content.unshift({ type: 'image', image });
    const messages: ChatMessage[] = [...this.history, { role: 'user', content }];
    for await (const event of engine.generate({ tenant: 't', session: this.session, messages })) {
      if (event.type !== 'done') continue;
      const { text: answer, tokens } = event.result;
      this.history = [...messages, { role: 'assistant', content: [{ type: 'text', text: answer }], tokens }];
      this.results.push(event.result);
      return event.result;
    }
    throw new Error('no result');
  }
}
