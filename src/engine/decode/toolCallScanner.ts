import type { ToolCall } from '../../core/tools.ts';
import { toolCallEnd, toolCallStart } from '../prompt/toolMarkup.ts';

/** A piece of an answer; the `raw` texts of all pieces are the answer. `cut`: the limit of its length fell into a call. */
export type AnswerPiece =
  | { readonly kind: 'cut'; readonly raw: string }
  | { readonly kind: 'text'; readonly raw: string }
  | { readonly kind: 'call'; readonly raw: string; readonly call: ToolCall };

/** Letters of its mark by which a call's beginning is known for one: `<tool`. */
const minStart = 5;

/**
 * Finds calls in an answer as it comes: `<tool_call>`, a JSON object with `name` and `arguments`, `</tool_call>`. What
 * begins like a call is held back until it is one. What turns out to be none - JSON that is wrong or that the model itself
 * left off, a tool nobody offered - is text. The last call may lack its end.
 */
export class ToolCallScanner {
  readonly #toolNames: ReadonlySet<string>;
  #held = '';
  /** In a call: where its JSON has been followed to. */
  #object: ObjectEnd | undefined;

  constructor(toolNames: Iterable<string>) {
    this.#toolNames = new Set(toolNames);
  }

  push(text: string): AnswerPiece[] {
    this.#held += text;
    return this.#pieces(false);
  }

  /** What is held back, once it is clear that no more text comes; `atLimit`: because it would be too long. */
  flush({ atLimit }: { atLimit: boolean }): AnswerPiece[] {
    if (atLimit && this.#isCutOff()) return [{ kind: 'cut', raw: this.#take(this.#held.length) }];
    return this.#pieces(true);
  }

  /** Whether what is held back would have become a call. */
  #isCutOff(): boolean {
    if (!this.#object) return overlap(this.#held, toolCallStart) >= minStart;
    return this.#callEnd(this.#object, true) === 'none';
  }

  #pieces(isLast: boolean): AnswerPiece[] {
    const pieces: AnswerPiece[] = [];
    for (;;) {
      if (!this.#object) {
        const start = this.#held.indexOf(toolCallStart);
        const end =
          start >= 0 ? start : this.#held.length - (isLast ? 0 : overlap(this.#held, toolCallStart));
        if (end > 0) pieces.push({ kind: 'text', raw: this.#take(end) });
        if (start < 0) return pieces;
        this.#object = new ObjectEnd(toolCallStart.length);
      }
      const end = this.#callEnd(this.#object, isLast);
      if (end === 'unknown') return pieces;
      const call = end === 'none' ? undefined : this.#parse(this.#object, this.#held);
      this.#object = undefined;
      if (call && end !== 'none') pieces.push({ kind: 'call', raw: this.#take(end), call });
      else pieces.push({ kind: 'text', raw: this.#take(toolCallStart.length) });
    }
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }

  #callEnd(object: ObjectEnd, isLast: boolean): number | 'none' | 'unknown' {
    const objectEnd = object.find(this.#held);
    if (objectEnd === 'none' || (objectEnd === 'unknown' && isLast)) return 'none';
    if (objectEnd === 'unknown') return 'unknown';
    const behind = this.#held.slice(objectEnd);
    const gap = behind.length - behind.trimStart().length;
    const rest = behind.slice(gap);
    if (rest.startsWith(toolCallEnd)) return objectEnd + gap + toolCallEnd.length;
    if (!toolCallEnd.startsWith(rest)) return 'none';
    return isLast ? this.#held.length : 'unknown';
  }

  #parse({ start, end }: ObjectEnd, text: string): ToolCall | undefined {
    const json = text.slice(start, end);
    const call = parsed(json);
    if (!isObject(call) || typeof call.name !== 'string' || !this.#toolNames.has(call.name)) return undefined;
    if (call.arguments === undefined) return { name: call.name, arguments: '{}' };
    if (!isObject(call.arguments)) return undefined;
    return { name: call.name, arguments: memberText(json, 'arguments') };
  }
}

/** Looks for the end of a JSON object, going on where it stopped. */
class ObjectEnd {
  start = -1;
  end = -1;
  #at: number;
  #depth = 0;
  #inString = false;

  constructor(from: number) {
    this.#at = from;
  }

  find(text: string): number | 'none' | 'unknown' {
    while (this.end < 0 && this.#at < text.length) {
      const letter = text[this.#at++] as string;
      if (this.#inString) {
        if (letter === '\\') this.#at++;
        else if (letter === '"') this.#inString = false;
      } else if (letter === '"') this.#inString = true;
      else if (letter === '{' || letter === '[') {
        if (this.#depth++ === 0) this.start = this.#at - 1;
      } else if ((letter === '}' || letter === ']') && --this.#depth === 0) this.end = this.#at;
      if (this.start < 0 && !/\s/.test(letter)) return 'none';
    }
    return this.end < 0 ? 'unknown' : this.end;
  }
}

/** How much of `word` the text ends with. */
function overlap(text: string, word: string): number {
  for (let length = Math.min(text.length, word.length - 1); length > 0; length--) {
    if (text.endsWith(word.slice(0, length))) return length;
  }
  return 0;
}

/** The text of a member's value in a valid JSON object; of several with this name the last, as `JSON.parse` has it. */
function memberText(json: string, name: string): string {
  let [depth, key, from, found] = [0, '', -1, ''];
  let before = '';
  for (const { 0: token, index } of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (depth === 1 && token === ':' && from < 0) {
      key = JSON.parse(before);
      from = index + 1;
    }
    if (depth === 1 && from >= 0 && (token === ',' || token === '}')) {
      if (key === name) found = json.slice(from, index).trim();
      from = -1;
    }
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
    before = token;
  }
  return found;
}

/** Undefined for what is not JSON, which no JSON means. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
