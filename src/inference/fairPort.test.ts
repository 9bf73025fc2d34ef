import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { GenerateEvent, GenerateRequest } from '../core/request.ts';
import { FairPort } from './fairPort.ts';
import { ScriptedEngine } from './scriptedEngine.ts';

const limits = { maxRunning: 1, maxWaiting: 10, maxWaitingPerTenant: 5 };
const request = (tenant: string): GenerateRequest => ({
  tenant,
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
});

async function drain(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test('only as many are with the engine as may run; the wait is part of the timings', async () => {
  const engine = new ScriptedEngine({ script: () => ({ pieces: ['a', 'b'], delayMs: 30 }), maxRunning: 8 });
  const port = new FairPort(engine, limits);
  const turns = ['a', 'a', 'b'].map((tenant) => drain(port.generate(request(tenant))));
  await setImmediate();
  expect(engine.calls).toHaveLength(1);
  expect(await port.stats()).toMatchObject({ running: 1, waiting: 2 });
  const done = (await Promise.all(turns)).map((events) => events.at(-1));
  const queued = done.map((event) => (event?.type === 'done' ? event.result.timings : undefined));
  expect(queued[0]?.queuedMs).toBeLessThan(20);
  expect(queued[1]?.queuedMs).toBeGreaterThan(50);
  expect(queued[1]?.firstTokenMs).toBeGreaterThan(queued[1]?.queuedMs ?? 0);
  expect(engine.calls.map((call) => 'request' in call && call.request.tenant)).toEqual(['a', 'a', 'b']);
});

test('leaving, failing and aborting give the slot back', async () => {
  const engine = new ScriptedEngine({
    script: [
      { stallAt: 1, pieces: ['a', 'b'] },
      { error: { code: 'engine_failed', details: { reason: 'scripted' } } },
      { stallAt: 0 },
    ],
  });
  const port = new FairPort(engine, limits);
  for await (const event of port.generate(request('a'))) {
    expect(event).toEqual({ type: 'delta', text: 'a' });
    break;
  }
  await expect(drain(port.generate(request('a')))).rejects.toMatchObject({ code: 'engine_failed' });

  const running = new AbortController();
  const stalled = drain(port.generate(request('a'), { signal: running.signal }));
  const waiting = new AbortController();
  const behind = drain(port.generate(request('b'), { signal: waiting.signal }));
  await setImmediate();
  waiting.abort(new Error('left the line'));
  await expect(behind).rejects.toThrow('left the line');
  const warm = port.prewarm(request('c'));
  running.abort(new Error('stopped'));
  await expect(stalled).rejects.toThrow('stopped');
  await warm;
  expect((await drain(port.generate(request('a')))).at(-1)?.type).toBe('done');
  expect(await port.stats()).toMatchObject({ running: 0, waiting: 0 });
});

test('a wrong request does not wait for its refusal', async () => {
  const port = new FairPort(new ScriptedEngine({ script: () => ({ stallAt: 0 }) }), limits);
  const stop = new AbortController();
  const stalled = drain(port.generate(request('a'), { signal: stop.signal }));
  await setImmediate();
  const wrong = { ...request('a'), sampling: { temperature: 9 } };
  await expect(drain(port.generate(wrong))).rejects.toMatchObject({ code: 'invalid_parameter' });
  stop.abort(new Error('enough'));
  await expect(stalled).rejects.toThrow('enough');
});

test('disposing ends those who wait, and those who come later', async () => {
  const port = new FairPort(new ScriptedEngine({ script: () => ({ stallAt: 0 }) }), limits);
  const all = [drain(port.generate(request('a'))), port.prewarm(request('b'))];
  await setImmediate();
  await port.dispose();
  all.push(port.prewarm(request('b')));
  for (const one of all) await expect(one).rejects.toMatchObject({ code: 'engine_unavailable' });
});
