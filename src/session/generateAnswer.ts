import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type { GenerateRequest, GenerateResult } from '../core/request.ts';
import type { ToolCall } from '../core/tools.ts';

/**
 * Lets the engine answer, or only prepare for it; then there is no text, and what that took.
 * @throws turn_timeout, the signal's reason, and what the engine throws
 */
export async function generateAnswer(
  engine: InferencePort,
  request: GenerateRequest,
  options: {
    prewarm: boolean;
    signal: AbortSignal;
    limitMs: number;
    onDelta: (text: string) => void | Promise<void>;
    onCall: (call: ToolCall) => void;
  },
): Promise<GenerateResult> {
  const { limitMs } = options;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(failure('turn_timeout', { limitMs })), limitMs);
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  try {
    if (options.prewarm) {
      const cost = await engine.prewarm(request, { signal });
      return { text: '', tokens: [], toolCalls: [], finishReason: 'stop', ...cost };
    }
    for await (const event of engine.generate(request, { signal })) {
      if (event.type === 'done') return event.result;
      if (event.type === 'delta') await options.onDelta(event.text);
      else options.onCall(event.call);
    }
    throw failure('engine_failed', { reason: 'it ended without a result' });
  } finally {
    clearTimeout(timer);
  }
}
