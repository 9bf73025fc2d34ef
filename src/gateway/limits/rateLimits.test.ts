import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RateLimits } from '../config.ts';
import { handleError } from '../http/handleError.ts';
import { newRoutes } from '../http/newRoutes.ts';
import { RateLimiting } from './rateLimits.ts';
import { resetDuration } from './resetDuration.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const none: RateLimits = { requests: null, tokens: null, pictures: null };

function appWith(limits: Partial<RateLimits>, own: Partial<RateLimits> = {}) {
  const limiting = new RateLimiting({ ...none, ...limits });
  const app = newRoutes();
  app.use(limiting.headers);
  app.use(async (c, next) => {
    const keyId = c.req.header('x-key') ?? null;
    c.set('principal', { tenant: 'a', keyId, ...(keyId === 'own' && { limits: own }) });
    await next();
  });
  app.use(limiting.middleware);
  app.onError(handleError(pino({ level: 'silent' })));
  app.post('*', async (c) => {
    const { tokens, pictures } = await c.req.json();
    await c.var.spend({ tokens, pictures });
    return c.text('done');
  });
  return async (spent: { tokens?: number; pictures?: number } = {}, key?: string, path = '/v1/responses') => {
    const headers = key === undefined ? {} : { 'x-key': key };
    return app.request(path, { method: 'POST', body: JSON.stringify(spent), headers });
  };
}

test('requests over the limit are refused until the minute is over', async () => {
  const call = appWith({ requests: 2 });
  expect((await call()).status).toBe(200);
  vi.advanceTimersByTime(20_000);
  const second = await call();
  expect(Object.fromEntries(second.headers)).toMatchObject({
    'x-ratelimit-limit-requests': '2',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '40s',
  });
  const refused = await call();
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after-ms')).toBe('40000');
  expect(refused.headers.get('retry-after')).toBe('40');
  expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
  expect(await refused.json()).toMatchObject({
    error: {
      code: 'rate_limit_exceeded',
      message: 'The limit of 2 requests a minute is reached. Try again in 40000 ms.',
    },
  });
  vi.advanceTimersByTime(40_000);
  expect((await call()).status).toBe(200);
});

test('tokens are counted afterwards, and what went over keeps the next turn out', async () => {
  const call = appWith({ tokens: 100 });
  expect((await call({ tokens: 99 })).headers.get('x-ratelimit-remaining-tokens')).toBe('1');
  expect((await call({ tokens: 500 })).headers.get('x-ratelimit-remaining-tokens')).toBe('0');
  expect((await call()).status).toBe(429);
  // What spends no tokens is let in.
  expect((await call({}, undefined, '/v1/files')).status).toBe(200);
  vi.advanceTimersByTime(60_000);
  expect((await call()).status).toBe(200);
});

test('pictures that go over the limit are refused, and none of them is counted', async () => {
  const call = appWith({ pictures: 5 });
  expect((await call({ pictures: 3 })).status).toBe(200);
  const refused = await call({ pictures: 3 });
  expect(refused.status).toBe(429);
  expect(refused.headers.get('x-ratelimit-remaining-pictures')).toBe('2');
  expect((await call({ pictures: 2 })).status).toBe(200);
});

test('every key has its own count, and its own limits before the default ones', async () => {
  const call = appWith({ requests: 1, pictures: 1 }, { requests: 3, pictures: null });
  expect((await call({}, 'one')).status).toBe(200);
  expect((await call({}, 'one')).status).toBe(429);
  expect((await call({}, 'two')).status).toBe(200);
  const own = await call({ pictures: 50 }, 'own');
  expect(own.status).toBe(200);
  expect(own.headers.get('x-ratelimit-limit-requests')).toBe('3');
  expect(own.headers.has('x-ratelimit-limit-pictures')).toBe(false);
});

test('without limits there are no headers', async () => {
  const reply = await appWith({})({ tokens: 5, pictures: 5 });
  expect([...reply.headers.keys()].filter((name) => name.includes('ratelimit'))).toEqual([]);
});

test.each([
  [-5, '0ms'],
  [0, '0ms'],
  [120, '120ms'],
  [1_000, '1s'],
  [8_640, '8.64s'],
  [60_000, '1m0s'],
  [90_500, '1m30.5s'],
])('%d ms is written %s', (ms, text) => {
  expect(resetDuration(ms)).toBe(text);
});
