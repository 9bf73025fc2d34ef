import type { GenerateResult } from '../core/request.ts';
import { terminalText } from './terminalText.ts';

/** A piece of an answer to stdout: as it is to a file or pipe, and nothing that a terminal would obey. */
export function writeAnswer(text: string): void {
  process.stdout.write(process.stdout.isTTY ? terminalText(text) : text);
}

/** The quiet line after an answer: what it cost, and what did not have to be paid again. */
export function statsLine(result: GenerateResult): string {
  const { usage, timings } = result;
  const parts: string[] = [];
  if (usage.imagesEncoded > 0) parts.push(`encode ${milliseconds(timings.encodeMs)}`);
  else if (usage.imagesReused > 0) parts.push('picture reused');
  parts.push(`prompt ${usage.promptTokens} tokens (${usage.reusedTokens} reused)`);
  parts.push(`first token ${milliseconds(timings.firstTokenMs)}`);
  const speed = tokensPerSecond(result);
  if (speed !== undefined) parts.push(`${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s`);
  if (result.finishReason === 'length') parts.push('cut at the token limit');
  return parts.join(' · ');
}

/** Decode speed; the first token belongs to the prompt. */
export function tokensPerSecond({ usage, timings }: GenerateResult): number | undefined {
  if (usage.outputTokens < 2 || timings.decodeMs <= 0) return undefined;
  return ((usage.outputTokens - 1) / timings.decodeMs) * 1000;
}

/** The machine-readable form of the same, with the answer. */
export function jsonReport(question: string, result: GenerateResult): string {
  const { text, finishReason, usage, timings } = result;
  const rounded = Object.fromEntries(
    Object.entries(timings).map(([name, value]) => [name, Math.round(value * 100) / 100]),
  );
  return JSON.stringify({ question, answer: text, finishReason, usage, timings: rounded });
}

function milliseconds(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
