import { expect, test } from 'vitest';
import { AsyncQueue } from '../../core/asyncQueue.ts';
import { failure } from '../../core/errors.ts';
import type { TurnEvent } from '../../session/liveTurn.ts';
import type { ResponseView } from '../../session/view.ts';
import { errorReply } from '../http/errorReply.ts';
import { chunkStream } from './chunkStream.ts';

const response: ResponseView = {
  id: 'resp_00000000000000000000001',
  status: 'in_progress',
  background: false,
  createdAtMs: 1_700_000_000_000,
  completedAtMs: null,
  previousResponseId: null,
  conversationId: null,
  instructions: null,
  metadata: {},
  echo: {},
  output: [],
  result: null,
  comparison: null,
  error: null,
};
const started: TurnEvent = { type: 'started', response, replayed: false };
const delta = (text: string): TurnEvent => ({ type: 'delta', itemId: 'msg_1', text });

function begin(heldMs: number) {
  const events = new AsyncQueue<TurnEvent>();
  const told: unknown[] = [];
  const frames = chunkStream(events, {
    model: 'a-model',
    fingerprint: 'fp_1',
    includeUsage: false,
    heldMs,
    onError: (error) => {
      told.push(error);
      return errorReply(error).error;
    },
  });
  return { events, frames, told };
}

const bodyOf = async (frames: AsyncIterator<{ data: string }, void>) => {
  const { value } = await frames.next();
  return value ? JSON.parse(value.data) : undefined;
};

test('an engine that stays silent does not hold the head for ever', async () => {
  const { events, frames } = begin(20);
  events.push(started);
  const first = await bodyOf(frames);
  expect(first).toMatchObject({
    id: 'chatcmpl-00000000000000000000001',
    created: 1_700_000_000,
    choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }],
  });
  events.push(delta('late'));
  expect(await bodyOf(frames)).toMatchObject({ choices: [{ delta: { content: 'late' } }] });
});

test('what is refused before the first word is thrown', async () => {
  const { events, frames, told } = begin(10_000);
  events.push(started);
  const first = frames.next();
  const refusal = failure('context_length_exceeded', { needed: 9_000, holder: 'the cache', limit: 8_192 });
  setTimeout(() => events.fail(refusal), 10);
  await expect(first).rejects.toBe(refusal);
  expect(told).toEqual([]);
});

test('what goes wrong later is the last frame', async () => {
  const { events, frames, told } = begin(10_000);
  events.push(started);
  events.push(delta('a'));
  await frames.next();
  expect(await bodyOf(frames)).toMatchObject({ choices: [{ delta: { content: 'a' } }] });
  const problem = failure('engine_failed', { reason: 'it stopped' });
  events.fail(problem);
  expect(await bodyOf(frames)).toEqual({ error: errorReply(problem).error });
  expect(await frames.next()).toEqual({ done: true, value: undefined });
  expect(told).toEqual([problem]);
});
