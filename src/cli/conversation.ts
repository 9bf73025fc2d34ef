import type { InferencePort } from '../core/inference.ts';
import type {
  ChatMessage,
  ContentPart,
  GenerateRequest,
  GenerateResult,
  ImageSource,
} from '../core/request.ts';

export interface ConversationOptions {
  readonly system?: string | undefined;
  readonly generation: Pick<GenerateRequest, 'sampling' | 'maxOutputTokens' | 'stop'>;
}

/** A conversation held on the command line: the messages so far, and the pictures that go with the next question. */
export class Conversation {
  readonly #engine: InferencePort;
  readonly #options: ConversationOptions;
  #messages: ChatMessage[] = [];
  #pendingImages: ImageSource[] = [];

  constructor(engine: InferencePort, options: ConversationOptions) {
    this.#engine = engine;
    this.#options = options;
    this.reset();
  }

  /** Forgets messages and pictures, keeps the system text. */
  reset(): void {
    const { system } = this.#options;
    this.#messages = system ? [{ role: 'system', content: [{ type: 'text', text: system }] }] : [];
    this.#pendingImages = [];
  }

  addImage(image: ImageSource): void {
    this.#pendingImages.push(image);
  }

  /**
   * Asks and streams the answer through `onText`. A stopped answer stays in the conversation as far as it came; a
   * question that got no answer at all is taken back, with its pictures waiting for the next one.
   */
  async ask(text: string, onText: (text: string) => void, signal: AbortSignal): Promise<GenerateResult> {
    const question = this.#question(text);
    const messages = [...this.#messages, question];
    let answer = '';
    try {
      for await (const event of this.#engine.generate(this.#request(messages), { signal })) {
        if (event.type === 'delta') {
          answer += event.text;
          onText(event.text);
          continue;
        }
        if (event.type === 'toolCall') throw new Error('a call of a tool that was not offered');
        this.#keep(messages, event.result.text, event.result.tokens);
        return event.result;
      }
      throw new Error('the engine ended without a result');
    } catch (error) {
      if (answer) this.#keep(messages, answer, undefined);
      throw error;
    }
  }

  #question(text: string): ChatMessage {
    const images = this.#pendingImages.map((image): ContentPart => ({ type: 'image', image }));
    return { role: 'user', content: [...images, { type: 'text', text }] };
  }

  #keep(messages: readonly ChatMessage[], text: string, tokens: readonly number[] | undefined): void {
    const answer: ChatMessage = {
      role: 'assistant',
      content: [{ type: 'text', text }],
      ...(tokens && { tokens }),
    };
    this.#messages = [...messages, answer];
    this.#pendingImages = [];
  }

  #request(messages: readonly ChatMessage[]): GenerateRequest {
    return { tenant: 'local', messages, ...this.#options.generation };
  }
}
