import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../../test/helpers/silentLogger.ts';
import { endOfTurn } from '../../../test/helpers/stateController.ts';
import { openStateDisk } from '../../../test/helpers/stateDisks.ts';
import type { Segment } from '../prompt/segment.ts';
import type { OwnedDisk } from './diskTier.ts';
import { EngineState } from './engineState.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'engine-state-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const beginning: Segment[] = [
  { kind: 'text', tokens: [1, endOfTurn] },
  { kind: 'image', key: 'cat', columns: 2, rows: 2 },
];
const never = new AbortController().signal;

function stateOn(disk: OwnedDisk, ramIdleMs = 60_000): EngineState {
  return new EngineState({
    fingerprint: 'model',
    endsTurn: (token) => token === endOfTurn,
    ramBytes: 1_000,
    ramIdleMs,
    unownedTtlMs: 60_000,
    disk,
    logger: silentLogger,
  });
}

function keepBeginning(state: EngineState, session: string | undefined): void {
  const claimed = state.claim({ tenant: 't', session }, beginning);
  state.controller.keep({ tenant: 't', scope: claimed?.scope, segments: beginning }, new Uint8Array(40));
}

test('a beginning that a request without a session brought back after a restart ends with its last session', async () => {
  const first = stateOn(await openStateDisk(folder));
  keepBeginning(first, 'a');
  await first.close(never);

  const state = stateOn(await openStateDisk(folder));
  state.resume();
  await state.resumed();
  const { disk } = state.controller.lookUp('t', beginning, 1);
  if (!disk) throw new Error('it is on disk');
  expect(await state.controller.load(disk.checkpoint)).toBe(true);
  state.controller.unpin(disk.checkpoint);
  await state.forget('t', 'a', state.owners.release('t', 'a'));
  expect([state.controller.count, state.controller.ram.bytes]).toEqual([0, 0]);
  await state.close(never);
});

test('a beginning whose last session ended before it was kept is not kept, and holds up no write', async () => {
  const state = stateOn(await openStateDisk(folder), 0);
  const claimed = state.claim({ tenant: 't', session: 'a' }, beginning);
  await state.forget('t', 'a', state.owners.release('t', 'a'));
  state.controller.keep({ tenant: 't', scope: claimed?.scope, segments: beginning }, new Uint8Array(40));
  state.controller.tick();
  await state.disk?.sessions();
  expect([state.controller.count, state.controller.writeFailures]).toEqual([0, 0]);
  await state.close(never);
});

test('a use that a full disk refused is noted later, and what is used goes down then', async () => {
  const disk = await openStateDisk(folder);
  const { hold } = disk;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  disk.hold = () => Promise.reject(new Error('the disk is full'));
  const state = stateOn(disk, 0);
  keepBeginning(state, 'a');
  await disk.sessions();
  expect(state.controller.writeFailures).toBe(1);
  disk.hold = hold;
  vi.advanceTimersByTime(6_000);
  await state.close(never);
  vi.useRealTimers();
  const next = await openStateDisk(folder);
  const found: unknown[] = [];
  await next.scan(({ scope }) => found.push(scope));
  await next.close();
  expect(found).toHaveLength(1);
});
