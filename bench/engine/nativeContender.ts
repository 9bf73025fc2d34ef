import type { ChatMessage, ContentPart, GenerateResult } from '../../src/core/request.ts';
import type { EngineProcess } from '../../src/inference/engineProcess.ts';
import { type Answer, type Contender, checkAnswerLength, type Message, type Question } from './contender.ts';

/** Outweighs any logit, so that `answerToken` always wins. */
const certainBias = 100;

/** The engine process, asked through its port. A conversation is a tenant of its own. */
export class NativeContender implements Contender {
  readonly name = 'afterimage';
  readonly maxRunning: number;
  readonly #engine: EngineProcess;
  readonly #answerToken: number;

  constructor(engine: EngineProcess, maxRunning: number, answerToken: number) {
    this.#engine = engine;
    this.maxRunning = maxRunning;
    this.#answerToken = answerToken;
  }

  async ask({ conversation, messages, answerTokens }: Question): Promise<Answer> {
    const request = {
      tenant: conversation,
      messages: messages.map(chatMessage),
      maxOutputTokens: answerTokens,
      sampling: { logitBias: { [this.#answerToken]: certainBias } },
    };
    const arrivalsMs: number[] = [];
    let result: GenerateResult | undefined;
    const askedAt = performance.now();
    for await (const event of this.#engine.generate(request)) {
      if (event.type === 'delta') arrivalsMs.push(performance.now());
      else if (event.type === 'done') result = event.result;
    }
    if (!result) throw new Error('the engine ended without a result');
    const { usage, timings, text, tokens } = result;
    checkAnswerLength(this.name, answerTokens, usage.outputTokens, arrivalsMs.length);
    return {
      message: { role: 'assistant', text, tokens },
      promptTokens: usage.promptTokens,
      newTokens: usage.promptTokens - usage.reusedTokens,
      firstTokenMs: (arrivalsMs[0] ?? askedAt) - askedAt,
      arrivalsMs,
      encodeMs: usage.imagesEncoded > 0 ? timings.encodeMs : undefined,
      prefillMs: timings.prefillMs,
    };
  }

  forget(conversation: string): Promise<void> {
    return this.#engine.forget(conversation);
  }
}

function chatMessage({ role, text, picture, tokens }: Message): ChatMessage {
  const image: ContentPart[] = picture ? [{ type: 'image', image: picture.source }] : [];
  return { role, content: [...image, { type: 'text', text }], ...(tokens && { tokens }) };
}
