import type { TurnEvent } from '../../session/liveTurn.ts';
import { costOf } from '../items/turnCost.ts';
import { type CompletionHead, headOf, resultOf, type ServedModel, usageOf } from './completion.ts';

export interface ChunkOptions extends ServedModel {
  /** A chunk with the usage at the end; every other one then says `usage: null`. */
  readonly includeUsage: boolean;
}

/**
 * OpenAI's chat completion chunks for the events of one turn, from the second one on: the role comes with `first`. `afterimage`
 * is in the chunk that has the finish reason.
 */
export class Chunks {
  readonly #head: CompletionHead;
  readonly #includeUsage: boolean;
  #calls = 0;

  constructor({ response }: Extract<TurnEvent, { type: 'started' }>, options: ChunkOptions) {
    this.#head = headOf(response, options);
    this.#includeUsage = options.includeUsage;
  }

  /** `content` is null when the answer is known to begin with a call. */
  first(next: TurnEvent | undefined): object {
    const content = next?.type === 'functionCall' ? null : '';
    return this.#chunk({ role: 'assistant', content, refusal: null });
  }

  of(event: TurnEvent): object[] {
    switch (event.type) {
      case 'started':
        return [];
      case 'delta':
        return [this.#chunk({ content: event.text })];
      case 'functionCall': {
        const { callId: id, name, arguments: args } = event.item;
        const called = { index: this.#calls++, id, type: 'function', function: { name, arguments: args } };
        return [this.#chunk({ tool_calls: [called] })];
      }
      case 'finished': {
        const result = resultOf(event.response);
        const last = { ...this.#chunk({}, result.finishReason), afterimage: costOf(result) };
        return this.#includeUsage
          ? [last, { ...this.#common(), choices: [], usage: usageOf(result) }]
          : [last];
      }
    }
  }

  #chunk(delta: object, finishReason: string | null = null): object {
    return {
      ...this.#common(),
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(this.#includeUsage && { usage: null }),
    };
  }

  #common(): object {
    return { ...this.#head, object: 'chat.completion.chunk' };
  }
}
