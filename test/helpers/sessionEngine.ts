import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../src/core/errors.ts';
import type { InferencePort } from '../../src/core/inference.ts';
import type {
  EngineInfo,
  EngineStats,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  PrewarmResult,
  PromptCount,
} from '../../src/core/request.ts';
import type { ToolCall } from '../../src/core/tools.ts';

export interface PlannedAnswer {
  readonly text?: string;
  readonly toolCalls?: readonly ToolCall[];
  readonly finishReason?: FinishReason;
  readonly reusedTokens?: number;
  readonly delayMs?: number;
}

/**
 * An engine for what sessions do with calls, long prompts and reused state: it answers as planned and counts a token for every
 * character of text and for every committed token id, and 4 for a picture.
 */
export class PlannedEngine implements InferencePort {
  readonly requests: GenerateRequest[] = [];
  counts = 0;
  readonly #plan: (request: GenerateRequest, index: number) => PlannedAnswer;
  readonly #limit: number;

  constructor(plan: (request: GenerateRequest, index: number) => PlannedAnswer, limit = 100_000) {
    this.#plan = plan;
    this.#limit = limit;
  }

  async heldSessions(): Promise<[]> {
    return [];
  }

  async keepsFeatures(): Promise<boolean> {
    return false;
  }

  async stateTree(): Promise<[]> {
    return [];
  }

  async *generate(
    request: GenerateRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    signal?.throwIfAborted();
    const index = this.requests.push(request) - 1;
    const { promptTokens, imageTokens } = promptCount(request);
    const needed = promptTokens + (request.maxOutputTokens ?? 1);
    if (needed > this.#limit)
      throw failure('context_length_exceeded', { needed, holder: 'the engine', limit: this.#limit });
    const plan = this.#plan(request, index);
    const { text = '', toolCalls = [], reusedTokens = 0, delayMs } = plan;
    if (delayMs) await sleep(delayMs, undefined, signal ? { signal } : {});
    if (text) yield { type: 'delta', text };
    for (const call of toolCalls) yield { type: 'toolCall', call };
    const tokens = Array.from(text + JSON.stringify(toolCalls), (letter) => letter.codePointAt(0) as number);
    yield {
      type: 'done',
      result: {
        text,
        toolCalls,
        tokens,
        finishReason: plan.finishReason ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop'),
        usage: {
          promptTokens,
          imageTokens,
          reusedTokens,
          outputTokens: tokens.length,
          imagesEncoded: imageTokens / 4,
          imagesReused: 0,
        },
        timings: { queuedMs: 0, encodeMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0 },
      },
    };
  }

  async prewarm(request: GenerateRequest): Promise<PrewarmResult> {
    this.requests.push(request);
    const { promptTokens, imageTokens } = promptCount(request);
    const imagesEncoded = imageTokens / 4;
    return {
      usage: { promptTokens, imageTokens, reusedTokens: 0, outputTokens: 0, imagesEncoded, imagesReused: 0 },
      timings: { queuedMs: 0, encodeMs: 0, prefillMs: 0, firstTokenMs: 0, decodeMs: 0 },
    };
  }

  async countTokens(request: GenerateRequest): Promise<PromptCount> {
    this.counts++;
    return { ...promptCount(request), limit: this.#limit };
  }

  async forget(): Promise<void> {}
  async dispose(): Promise<void> {}

  ready(): Promise<EngineInfo> {
    throw new Error('no session asks for this');
  }

  stats(): Promise<EngineStats> {
    throw new Error('no session asks for this');
  }
}

function promptCount({ messages, tools }: GenerateRequest): Omit<PromptCount, 'limit'> {
  let [text, imageTokens] = [tools ? JSON.stringify(tools).length : 0, 0];
  for (const { content, tokens, toolCalls } of messages) {
    for (const part of content) {
      if (part.type === 'image') imageTokens += 4;
      else if (!tokens) text += part.text.length;
    }
    text += tokens?.length ?? (toolCalls ? JSON.stringify(toolCalls).length : 0);
  }
  return { promptTokens: text + imageTokens, imageTokens };
}
