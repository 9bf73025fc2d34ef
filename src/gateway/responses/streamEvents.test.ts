import { expect, test } from 'vitest';
import type { Item } from '../../session/items.ts';
import type { TurnEvent } from '../../session/liveTurn.ts';
import type { ResponseStatus } from '../../session/record.ts';
import type { ResponseView } from '../../session/view.ts';
import { type StreamEvent, StreamEvents } from './streamEvents.ts';

const message = (text: string, status: Item['status'] = 'completed'): Item => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status,
  content: [{ type: 'output_text', text }],
});
const call = (id: string): Extract<Item, { type: 'function_call' }> => ({
  id,
  type: 'function_call',
  status: 'completed',
  callId: `call_${id}`,
  name: 'find',
  arguments: '{"colour":"red"}',
});

function view(status: ResponseStatus, output: readonly Item[]): ResponseView {
  return {
    id: 'resp_1',
    status,
    background: false,
    createdAtMs: 1_700_000_000_000,
    completedAtMs: null,
    previousResponseId: null,
    conversationId: null,
    instructions: null,
    metadata: {},
    echo: { model: 'm' },
    output,
    result: null,
    comparison: null,
    error: null,
  };
}

const started: TurnEvent = { type: 'started', response: view('in_progress', []), replayed: false };
const delta = (text: string): TurnEvent => ({ type: 'delta', itemId: 'msg_1', text });
const functionCall = (id: string): TurnEvent => ({ type: 'functionCall', item: call(id) });
const finished = (status: ResponseStatus, output: readonly Item[]): TurnEvent => ({
  type: 'finished',
  response: view(status, output),
  session: null,
  replayed: false,
});

function streamOf(...events: readonly TurnEvent[]): StreamEvent[] {
  const stream = new StreamEvents(new Set());
  return events.flatMap((event) => stream.of(event));
}

const typesOf = (events: readonly StreamEvent[]): string[] =>
  events.map(({ type }) => type.replace('response.', ''));

/** Of the response that the last event holds. */
function outputOf(events: readonly StreamEvent[]): unknown {
  const { response } = events.at(-1) as StreamEvent;
  return (response as { output: unknown }).output;
}

test('an answer of text', () => {
  const events = streamOf(started, delta('a b'), delta(' c'), finished('completed', [message('a b c')]));
  expect(typesOf(events)).toEqual([
    'created',
    'in_progress',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'completed',
  ]);
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
  expect(events[2]).toMatchObject({
    output_index: 0,
    item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] },
  });
  expect(events[4]).toMatchObject({
    item_id: 'msg_1',
    output_index: 0,
    content_index: 0,
    delta: 'a b',
    logprobs: [],
  });
  expect(events[6]).toMatchObject({ item_id: 'msg_1', text: 'a b c' });
  expect([events[8]?.item]).toEqual(outputOf(events));
});

test('text, then two calls: each item ends before the next begins', () => {
  const output = [message('look'), call('fc_1'), call('fc_2')];
  const events = streamOf(
    started,
    delta('look'),
    functionCall('fc_1'),
    functionCall('fc_2'),
    finished('completed', output),
  );
  const aCall = [
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.done',
    'output_item.done',
  ];
  expect(typesOf(events).slice(5)).toEqual([
    'output_text.done',
    'content_part.done',
    'output_item.done',
    ...aCall,
    ...aCall,
    'completed',
  ]);
  const done = events.filter(({ type }) => type === 'response.output_item.done');
  expect(done.map(({ output_index }) => output_index)).toEqual([0, 1, 2]);
  expect(done.map(({ item }) => item)).toEqual(outputOf(events));
  const added = events.filter(({ type }) => type === 'response.output_item.added');
  expect(added[1]?.item).toMatchObject({ id: 'fc_1', call_id: 'call_fc_1', arguments: '', name: 'find' });
  expect(events.find(({ type }) => type === 'response.function_call_arguments.done')).toMatchObject({
    item_id: 'fc_1',
    name: 'find',
    arguments: '{"colour":"red"}',
  });
});

test('an answer cut at its limit ends incomplete, and so does its item', () => {
  const events = streamOf(started, delta('a'), finished('incomplete', [message('a', 'incomplete')]));
  expect(typesOf(events).at(-1)).toBe('incomplete');
  expect(events.at(-2)?.item).toMatchObject({ status: 'incomplete' });
  expect(events.at(-1)?.response).toMatchObject({ incomplete_details: { reason: 'max_output_tokens' } });
});

test.each(['failed', 'cancelled'] as const)('a %s turn leaves what had begun unfinished', (status) => {
  const events = streamOf(started, delta('a'), finished(status, []));
  expect(typesOf(events)).toEqual([
    'created',
    'in_progress',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'failed',
  ]);
  expect(events.at(-1)?.response).toMatchObject({ status, output: [] });
});

test('an empty answer still has its item', () => {
  const events = streamOf(started, finished('completed', [message('')]));
  expect(typesOf(events).slice(2)).toEqual([
    'output_item.added',
    'content_part.added',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'completed',
  ]);
});

test('a prepared prompt has no items', () => {
  expect(typesOf(streamOf(started, finished('completed', [])))).toEqual([
    'created',
    'in_progress',
    'completed',
  ]);
});

test('an error has both forms, and the next number', () => {
  const stream = new StreamEvents(new Set());
  stream.of(started);
  const error = { message: 'no', type: 'server_error', param: null, code: 'engine_failed' };
  expect(stream.error(error)).toEqual({ ...error, type: 'error', sequence_number: 2, error });
});
