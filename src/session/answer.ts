import type { GenerateResult } from '../core/request.ts';
import type { ToolCall } from '../core/tools.ts';
import { itemIdOf, itemPlace, newCallId } from './ids.ts';
import type { FunctionCallItem, StoredItem } from './items.ts';
import { packTokens } from './packedTokens.ts';

/** An answer while it comes: gives its items their ids, the same in every event and in the record. */
export class Answer {
  readonly messageId: string;
  readonly #session: string;
  readonly #serial: number;
  readonly #firstIndex: number;
  readonly #calls: (ToolCall & { readonly callId: string })[] = [];

  /** @param inputCount items that came with the turn: those of the answer are counted on from there. */
  constructor(session: string, serial: number, inputCount: number) {
    this.#session = session;
    this.#serial = serial;
    this.#firstIndex = inputCount;
    this.messageId = itemIdOf('message', session, this.#place(0));
  }

  addCall({ name, arguments: text }: ToolCall): FunctionCallItem {
    const call = { callId: newCallId(), name, arguments: text };
    const id = itemIdOf('function_call', this.#session, this.#place(this.#calls.push(call)));
    return { type: 'function_call', ...call, id, status: 'completed' };
  }

  /**
   * As they are kept: a message, unless there are only calls, then the calls. Only what was cut at the length limit is
   * incomplete: text before a call is whole, and a call that was cut is none.
   */
  items({ text, tokens, finishReason }: GenerateResult): StoredItem[] {
    const calls = this.#calls.map(
      (call, index): StoredItem => ({ place: this.#place(index + 1), type: 'function_call', ...call }),
    );
    const isCut = finishReason === 'length' && calls.length === 0;
    const message: StoredItem = {
      place: this.#place(0),
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text }],
      ...(isCut && { status: 'incomplete' as const }),
    };
    const [head, ...rest] = text === '' && calls.length > 0 ? calls : [message, ...calls];
    const count = calls.length > 0 ? { calls: calls.length } : {};
    return [{ ...(head as StoredItem), tokens: packTokens(tokens), ...count }, ...rest];
  }

  #place(offset: number): string {
    return itemPlace(this.#serial, this.#firstIndex + offset);
  }
}
