import type { Item } from '../../session/items.ts';
import type { TurnEvent } from '../../session/liveTurn.ts';
import type { ResponseView } from '../../session/view.ts';
import type { ErrorObject } from '../http/errorReply.ts';
import { wireItem } from '../items/wireItem.ts';
import { wireResponse } from './wireResponse.ts';

export interface StreamEvent {
  readonly type: string;
  readonly sequence_number: number;
  readonly [field: string]: unknown;
}

interface OpenMessage {
  readonly id: string;
  readonly index: number;
  text: string;
}

const noEvent = { annotations: [], logprobs: [] } as const;
const textPart = (text: string): object => ({ type: 'output_text', text, ...noEvent });

/**
 * Turns the events of one turn into OpenAI's, numbered from 0. The same turn events always give the same stream, so what a
 * reader missed can be made again. An output item that has begun is finished before the next one begins:
 *
 *     created - in_progress - (item added - its parts and deltas - item done)* - completed | incomplete | failed
 */
export class StreamEvents {
  readonly #include: ReadonlySet<string>;
  readonly #done = new Set<string>();
  #open: OpenMessage | undefined;
  #sequence = 0;

  constructor(include: ReadonlySet<string>) {
    this.#include = include;
  }

  of(event: TurnEvent): StreamEvent[] {
    switch (event.type) {
      case 'started': {
        const response = wireResponse(event.response, this.#include);
        return [
          this.#event('response.created', { response }),
          this.#event('response.in_progress', { response }),
        ];
      }
      case 'delta':
        return this.#delta(event.itemId, event.text);
      case 'functionCall':
        return [...this.#close('completed'), ...this.#whole(event.item)];
      case 'finished':
        return this.#finish(event.response);
    }
  }

  /** For what broke the turn off: OpenAI reads the flat fields, Open Responses the nested ones. */
  error({ message, type, param, code }: ErrorObject): StreamEvent {
    return this.#event('error', { code, message, param, error: { type, code, message, param } });
  }

  #delta(id: string, delta: string): StreamEvent[] {
    const opened = this.#open?.id === id ? [] : [...this.#close('completed'), ...this.#begin(id)];
    const open = this.#open as OpenMessage;
    open.text += delta;
    return [...opened, this.#event('response.output_text.delta', { ...placeOf(open), delta, logprobs: [] })];
  }

  #begin(id: string): StreamEvent[] {
    const open = { id, index: this.#done.size, text: '' };
    this.#open = open;
    const item = { id, type: 'message', status: 'in_progress', role: 'assistant', content: [] };
    return [
      this.#event('response.output_item.added', { output_index: open.index, item }),
      this.#event('response.content_part.added', { ...placeOf(open), part: textPart('') }),
    ];
  }

  #close(status: Item['status']): StreamEvent[] {
    const open = this.#open;
    if (!open) return [];
    this.#open = undefined;
    this.#done.add(open.id);
    const { id, text } = open;
    const content = [{ type: 'output_text', text } as const];
    const item: Item = { id, type: 'message', role: 'assistant', status, content };
    return [
      this.#event('response.output_text.done', { ...placeOf(open), text, logprobs: [] }),
      this.#event('response.content_part.done', { ...placeOf(open), part: textPart(text) }),
      this.#event('response.output_item.done', {
        output_index: open.index,
        item: wireItem(item, this.#include),
      }),
    ];
  }

  /** An item that comes in one piece. */
  #whole(item: Item): StreamEvent[] {
    if (item.type === 'message') {
      const text = item.content.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
      const deltas = text === '' ? this.#begin(item.id) : this.#delta(item.id, text);
      return [...deltas, ...this.#close(item.status)];
    }
    const place = { output_index: this.#done.size };
    this.#done.add(item.id);
    const done = wireItem(item, this.#include);
    const begun = { ...done, status: 'in_progress' };
    if (item.type !== 'function_call') {
      return [
        this.#event('response.output_item.added', { ...place, item: begun }),
        this.#event('response.output_item.done', { ...place, item: done }),
      ];
    }
    const { name, arguments: written } = item;
    const call = { item_id: item.id, ...place };
    return [
      this.#event('response.output_item.added', { ...place, item: { ...begun, arguments: '' } }),
      this.#event('response.function_call_arguments.delta', { ...call, delta: written }),
      this.#event('response.function_call_arguments.done', { ...call, name, arguments: written }),
      this.#event('response.output_item.done', { ...place, item: done }),
    ];
  }

  #finish(view: ResponseView): StreamEvent[] {
    const response = wireResponse(view, this.#include);
    // Of a turn that failed nothing was kept: what had begun stays unfinished.
    if (view.status === 'failed' || view.status === 'cancelled') {
      return [this.#event('response.failed', { response })];
    }
    const items = view.output.flatMap((item) => {
      if (this.#done.has(item.id)) return [];
      return this.#open?.id === item.id ? this.#close(item.status) : this.#whole(item);
    });
    const type = view.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
    return [...items, this.#event(type, { response })];
  }

  #event(type: string, fields: object): StreamEvent {
    return { type, sequence_number: this.#sequence++, ...fields };
  }
}

function placeOf({ id, index }: OpenMessage): object {
  return { item_id: id, output_index: index, content_index: 0 };
}
