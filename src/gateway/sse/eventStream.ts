import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import { within } from '../../core/within.ts';
import type { GatewayEnv } from '../parts.ts';

/** One server-sent event. */
export interface SseFrame {
  /** Left out: an event without a name. */
  readonly event?: string;
  readonly data: string;
}

export interface EventStreamOptions {
  /** A reader that takes nothing for this long is disconnected. */
  readonly slowReaderMs: number;
  /** After this much silence a comment is sent, so that no proxy takes the connection for dead. Default 15,000. */
  readonly keepaliveMs?: number;
  /** Called once, at once, when the reader is gone before the end: it left, or was disconnected for being slow. */
  readonly onDisconnect: () => void;
}

const defaultKeepaliveMs = 15_000;

/** nginx's status for a client that left before its reply; only the access log sees it. */
export const clientClosedRequest = 499 as StatusCode;

/**
 * Sends frames as they come, one whenever the reader has room, so that nothing piles up here. What `events` throws before its
 * first frame is thrown, and can still become an ordinary error reply, unless that frame takes longer than `keepaliveMs`; later
 * it breaks the connection off, so the frames should say themselves what went wrong. `events` isn't told to return when the
 * reader goes: `onDisconnect` is to make it end.
 */
export async function eventStreamResponse(
  c: Context<GatewayEnv>,
  events: AsyncIterable<SseFrame>,
  options: EventStreamOptions,
): Promise<Response> {
  const { signal } = c.req.raw;
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    signal.removeEventListener('abort', leave);
    return true;
  };
  const leave = (): void => {
    if (end()) options.onDisconnect();
  };
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();

  const frames = events[Symbol.asyncIterator]();
  const first = frames.next();
  try {
    await within(first, options.keepaliveMs ?? defaultKeepaliveMs);
  } catch (error) {
    // Nobody reads this reply, and what the leaving did to the work behind it is no fault to report.
    if (isOver) return c.body(null, clientClosedRequest);
    end();
    throw error;
  }
  const body = streamOf(first, frames, { ...options, end, leave, cutOff: () => cutOff(c) });
  return c.body(body, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  });
}

function streamOf(
  first: Promise<IteratorResult<SseFrame>>,
  frames: AsyncIterator<SseFrame>,
  options: EventStreamOptions & { end: () => boolean; leave: () => void; cutOff: () => boolean },
): ReadableStream<Uint8Array> {
  const { slowReaderMs, keepaliveMs = defaultKeepaliveMs, end, leave, cutOff } = options;
  let pending: Promise<IteratorResult<SseFrame>> | undefined = first;
  let slowTimer: NodeJS.Timeout | undefined;
  const awaitReader = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    slowTimer = setTimeout(() => {
      leave();
      if (!cutOff()) controller.error(new Error(`the reader took nothing for ${slowReaderMs} ms`));
    }, slowReaderMs);
  };
  return new ReadableStream<Uint8Array>(
    {
      start: awaitReader,
      // Without a queue of its own the stream asks only when the reader has taken what there was.
      pull: async (controller) => {
        clearTimeout(slowTimer);
        pending ??= frames.next();
        try {
          const result = await within(pending, keepaliveMs);
          if (result === undefined) {
            controller.enqueue(encoded(': keepalive\n\n'));
          } else if (result.done) {
            end();
            controller.close();
            return;
          } else {
            pending = undefined;
            controller.enqueue(encoded(frameText(result.value)));
          }
        } catch (error) {
          leave();
          throw error;
        }
        awaitReader(controller);
      },
      cancel: () => {
        clearTimeout(slowTimer);
        leave();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Who doesn't read doesn't see the stream fail either: the connection is closed. False where there is none, as in tests. */
function cutOff(c: Context<GatewayEnv>): boolean {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  return outgoing?.destroy() !== undefined;
}

function frameText({ event, data }: SseFrame): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${event === undefined ? '' : `event: ${event}\n`}${lines.join('')}\n`;
}

const encoder = new TextEncoder();
const encoded = (text: string): Uint8Array => encoder.encode(text);
