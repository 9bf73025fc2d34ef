import { Hono } from 'hono';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { GatewayEnv } from '../parts.ts';
import { type EventStreamOptions, eventStreamResponse, type SseFrame } from './eventStream.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function respond(
  events: AsyncIterable<SseFrame>,
  options: Partial<EventStreamOptions> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const app = new Hono<GatewayEnv>();
  app.get('/', (c) =>
    eventStreamResponse(c, events, { slowReaderMs: 5_000, onDisconnect: () => {}, ...options }),
  );
  app.onError((error, c) => c.text(error.message, 500));
  return Promise.resolve(app.request('/', signal ? { signal } : {}));
}

/** Frames pushed by hand; what is asked for beyond them waits. */
class Frames implements AsyncIterableIterator<SseFrame> {
  asked = 0;
  readonly #waiting: ReturnType<typeof Promise.withResolvers<IteratorResult<SseFrame>>>[] = [];
  #given = 0;

  next(): Promise<IteratorResult<SseFrame>> {
    return this.#slot(this.asked++).promise;
  }

  push(data: string): void {
    this.#slot(this.#given++).resolve({ done: false, value: { event: 'tick', data } });
  }

  end(): void {
    this.#slot(this.#given++).resolve({ done: true, value: undefined });
  }

  fail(error: Error): void {
    this.#slot(this.#given++).reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #slot(index: number): ReturnType<typeof Promise.withResolvers<IteratorResult<SseFrame>>> {
    this.#waiting[index] ??= Promise.withResolvers();
    return this.#waiting[index];
  }
}

async function* given(...frames: readonly SseFrame[]): AsyncGenerator<SseFrame> {
  yield* frames;
}

const text = (chunk: { value?: Uint8Array | undefined }): string => new TextDecoder().decode(chunk.value);

test('frames and headers', async () => {
  const reply = await respond(given({ event: 'a', data: '{}' }, { data: 'two\nlines' }, { data: '[DONE]' }));
  expect(reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(reply.headers.get('cache-control')).toBe('no-cache');
  expect(reply.headers.get('x-accel-buffering')).toBe('no');
  expect(await reply.text()).toBe('event: a\ndata: {}\n\ndata: two\ndata: lines\n\ndata: [DONE]\n\n');
});

test('what fails before the first frame is thrown', async () => {
  const frames = new Frames();
  frames.fail(new Error('too early'));
  const reply = await respond(frames);
  expect(reply.status).toBe(500);
  expect(await reply.text()).toBe('too early');
});

test('a frame is made only when the one before was taken', async () => {
  const frames = new Frames();
  for (const data of ['1', '2', '3']) frames.push(data);
  const reader = (await respond(frames)).body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  expect(frames.asked).toBe(1);
  await reader.read();
  expect(frames.asked).toBe(1);
  await reader.read();
  expect(frames.asked).toBe(2);
});

test('silence is filled with comments, and nothing is lost by them', async () => {
  const frames = new Frames();
  frames.push('1');
  const reader = (await respond(frames, { keepaliveMs: 1_000 })).body?.getReader();
  await reader?.read();
  const silent = reader?.read();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(text((await silent) ?? {})).toBe(': keepalive\n\n');
  const next = reader?.read();
  frames.push('2');
  expect(text((await next) ?? {})).toBe('event: tick\ndata: 2\n\n');
});

test('headers leave when the first frame takes long', async () => {
  const frames = new Frames();
  const coming = respond(frames, { keepaliveMs: 1_000 });
  await vi.advanceTimersByTimeAsync(1_000);
  const reply = await coming;
  expect(reply.status).toBe(200);
  frames.push('late');
  frames.end();
  expect(await reply.text()).toBe('event: tick\ndata: late\n\n');
});

test('a reader that takes nothing is disconnected', async () => {
  const onDisconnect = vi.fn();
  const frames = new Frames();
  frames.push('1');
  frames.push('2');
  const reader = (await respond(frames, { slowReaderMs: 5_000, onDisconnect })).body?.getReader();
  await reader?.read();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(onDisconnect).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(onDisconnect).toHaveBeenCalledTimes(1);
  await expect(reader?.read()).rejects.toThrow('took nothing for 5000 ms');
});

test('a reader that waits for a slow turn is not slow itself', async () => {
  const onDisconnect = vi.fn();
  const frames = new Frames();
  frames.push('1');
  const reader = (
    await respond(frames, { slowReaderMs: 5_000, keepaliveMs: 60_000, onDisconnect })
  ).body?.getReader();
  await reader?.read();
  const next = reader?.read();
  await vi.advanceTimersByTimeAsync(30_000);
  frames.push('2');
  expect(text((await next) ?? {})).toContain('data: 2');
  expect(onDisconnect).not.toHaveBeenCalled();
});

test('leaving is told at once, once, and not after the end', async () => {
  const onDisconnect = vi.fn();
  const frames = new Frames();
  frames.push('1');
  const reader = (await respond(frames, { onDisconnect })).body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(onDisconnect).toHaveBeenCalledTimes(1);

  const afterEnd = vi.fn();
  const leaving = new AbortController();
  const whole = await respond(given({ data: '1' }), { onDisconnect: afterEnd }, leaving.signal);
  await whole.text();
  leaving.abort();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(afterEnd).not.toHaveBeenCalled();
});

test('leaving before the first frame stops the work behind it', async () => {
  const leaving = new AbortController();
  const frames = new Frames();
  const onDisconnect = vi.fn(() => frames.fail(new Error('stopped')));
  const coming = respond(frames, { onDisconnect }, leaving.signal);
  leaving.abort();
  expect((await coming).status).toBe(499);
  expect(onDisconnect).toHaveBeenCalledTimes(1);
});
