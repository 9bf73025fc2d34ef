import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { InferencePort } from '../../src/core/inference.ts';
import type { ChatMessage, GenerateResult, ImageSource, Sampling } from '../../src/core/request.ts';
import { imageSourceFromBytes } from '../../src/images/load.ts';

const folder = fileURLToPath(new URL('../../test/fixtures/samples/', import.meta.url));
const pictures = (await readdir(folder)).filter((name) => name.endsWith('.png'));

/** A sample picture that differs from all others in one pixel: another picture, and the same to the eye. */
async function pictureOf(index: number): Promise<ImageSource> {
  const name = pictures[index % pictures.length] as string;
  const { data, info } = await sharp(await readFile(folder + name))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  data.set([index & 255, index >> 8, 77]);
  const { width, height } = info;
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return imageSourceFromBytes(png, 'auto');
}

/** One session of the soak: a picture and a secret in its first turn, questions about both after it. */
export class SoakDialogue {
  static readonly turnCount = 4;
  readonly secret: string;
  readonly results: GenerateResult[] = [];
  readonly #index: number;
  #history: ChatMessage[] = [];

  constructor(index: number) {
    this.#index = index;
    this.secret = String(1_000 + 3 * index);
  }

  get next(): number {
    return this.results.length;
  }

  get isOver(): boolean {
    return this.next === SoakDialogue.turnCount;
  }

  async ask(engine: InferencePort, tenant: string, sampling: Partial<Sampling> = {}): Promise<void> {
    const questions = [
      `My budget is ${this.secret}.`,
      'Please repeat.',
      'How much does it cost?',
      'What is it?',
    ];
    const text = { type: 'text' as const, text: questions[this.next] as string };
    const content =
      this.next === 0 ? [{ type: 'image' as const, image: await pictureOf(this.#index) }, text] : [text];
    const messages: ChatMessage[] = [...this.#history, { role: 'user', content }];
    const session = `s${this.#index}`;
    for await (const event of engine.generate({ tenant, session, messages, sampling })) {
      if (event.type !== 'done') continue;
      const { text: answer, tokens } = event.result;
      this.#history = [...messages, { role: 'assistant', content: [{ type: 'text', text: answer }], tokens }];
      this.results.push(event.result);
    }
  }
}
