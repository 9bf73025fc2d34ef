import { expect, test, vi } from 'vitest';
import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import { EngineMemory } from './engineMemory.ts';

const gone = () => failure('engine_unavailable', { reason: 'it died' });
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** An engine that holds sessions of one tenant, and dies, or fails once to wipe one, when the test says so. */
function setUp(held: string[], isAlive: (session: string) => boolean = () => false) {
  const engine = {
    held: new Set(held),
    diesWith: new Set<string>(),
    refuses: new Set<string>(),
    gate: Promise.resolve(),
  };
  const port = {
    ready: async () => {},
    heldSessions: async () => [...engine.held].map((session) => ({ tenant: 't', session })),
    forget: async (_: string, session: string) => {
      await engine.gate;
      if (engine.diesWith.delete(session)) throw gone();
      if (engine.refuses.delete(session))
        throw failure('storage_read_only', { path: 'state', reason: 'EROFS' });
      engine.held.delete(session);
    },
  } as unknown as InferencePort;
  const problems: unknown[] = [];
  const memory = new EngineMemory({
    engine: port,
    isAlive: async (_, session) => isAlive(session),
    onProblem: (error) => problems.push(error),
  });
  return { engine, memory, problems };
}

test('an engine that dies while it is checked is checked again when it is back', async () => {
  const { engine, memory, problems } = setUp(['a', 'b', 'c']);
  engine.diesWith.add('b');
  await memory.check();
  expect([[...engine.held], problems]).toEqual([[], []]);
});

test('an end that can’t be told of while a check runs is looked for again', async () => {
  const ended = new Set(['a']);
  const { engine, memory } = setUp(['b', 'a'], (session) => !ended.has(session));
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.gate = promise;
  const checked = memory.check();
  // `b` was found alive by now, and the check waits for `a`; then `b` ends.
  await settled();
  ended.add('b');
  engine.diesWith.add('b');
  const forgotten = memory.forget('t', 'b');
  resolve();
  await Promise.all([checked, forgotten]);
  expect([...engine.held]).toEqual([]);
});

test('a session that can’t be looked up keeps no other from being forgotten', async () => {
  const { engine, memory, problems } = setUp(['a', 'b'], (session) => {
    if (session === 'a') throw new Error('its record is damaged');
    return false;
  });
  await memory.check();
  expect([[...engine.held], problems.length]).toEqual([['a'], 1]);
});

test('what the engine could not wipe is tried again later', async () => {
  vi.useFakeTimers();
  const { engine, memory, problems } = setUp(['a', 'b']);
  engine.refuses.add('a');
  await memory.forget('t', 'a');
  await memory.forget('t', 'b');
  expect([[...engine.held], problems.length]).toEqual([['a'], 1]);
  await vi.advanceTimersByTimeAsync(29_000);
  expect([...engine.held]).toEqual(['a']);
  await vi.advanceTimersByTimeAsync(2_000);
  vi.useRealTimers();
  expect([[...engine.held], problems.length]).toEqual([[], 1]);
});
