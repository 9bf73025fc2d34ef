import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import { failure } from '../../src/core/errors.ts';
import type { InferencePort } from '../../src/core/inference.ts';
import { ScriptedEngine } from '../../src/inference/scriptedEngine.ts';
import { parseResponseId } from '../../src/session/ids.ts';
import type { InputItem, InputPicturePart } from '../../src/session/items.ts';
import type { TurnEvent } from '../../src/session/liveTurn.ts';
import type { PictureIntake } from '../../src/session/pictureIntake.ts';
import { decodeRecord } from '../../src/session/recordCodec.ts';
import { SessionManager, type SessionManagerOptions } from '../../src/session/sessionManager.ts';
import type { TurnRequest } from '../../src/session/turnRequest.ts';
import { openStore } from '../../src/store/openStore.ts';
import type { Store } from '../../src/store/port.ts';

/** Makes 64 x 64 pixels of the hash of any bytes but none and `bad`, and counts how often it was asked. */
export class HashIntake implements PictureIntake {
  taken = 0;

  async take(bytes: Uint8Array) {
    this.taken++;
    if (Buffer.from(bytes).toString() === 'bad') throw failure('image_format_unknown', {});
    const hash = createHash('sha256').update(bytes).digest();
    return {
      digest: `sha256:${hash.toString('hex')}`,
      width: 64,
      height: 64,
      rgb: new Uint8Array(64 * 64 * 3),
    };
  }
}

export class FakeClock implements Clock {
  #wallMs = Date.UTC(2026, 0, 1);
  #monotonicMs = 5_000;

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  pass(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Somebody sets the time. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }
}

export interface Fixture<Engine extends InferencePort = ScriptedEngine> {
  readonly folder: string;
  readonly store: Store;
  readonly engine: Engine;
  readonly intake: HashIntake;
  readonly manager: SessionManager;
  readonly problems: unknown[];
  close(): Promise<void>;
}

/** Of all managers that open each other's stores. */
export const uploadKey = new Uint8Array(32).fill(7);

/** A manager on the real store in a new folder, with a scripted engine unless another one is given. */
export async function openSessions<Engine extends InferencePort = ScriptedEngine>(
  options: Partial<Omit<SessionManagerOptions, 'engine'>> & { engine?: Engine } = {},
  folder = mkdtempSync(join(tmpdir(), 'sessions-test-')),
): Promise<Fixture<Engine>> {
  const store = await openStore(folder);
  const engine = options.engine ?? (new ScriptedEngine() as InferencePort as Engine);
  const intake = new HashIntake();
  const problems: unknown[] = [];
  const onProblem = (error: unknown) => problems.push(error);
  const manager = new SessionManager({ store, intake, uploadKey, onProblem, ...options, engine });
  const close = async () => {
    await manager.stop(0);
    await store.close();
    rmSync(folder, { recursive: true });
  };
  return { folder, store, engine, intake, manager, problems, close };
}

/** Any bytes will do for the hash intake. */
export const picture = Buffer.from('a picture');
export const stalling = (stallAt: number) =>
  new ScriptedEngine({ script: () => ({ pieces: ['a', 'b', 'c'], stallAt }) });

export const say = (text: string, ...pictures: Omit<InputPicturePart, 'type'>[]): InputItem[] => [
  {
    type: 'message',
    role: 'user',
    content: [
      ...pictures.map((picture) => ({ type: 'input_image', ...picture }) as const),
      { type: 'input_text', text },
    ],
  },
];

export type Finished = Extract<TurnEvent, { type: 'finished' }>;

/** Runs a turn to its end. @throws what keeps it from one */
export async function ask(
  manager: SessionManager,
  request: TurnRequest,
  { tenant = 'acme', signal }: { tenant?: string; signal?: AbortSignal } = {},
): Promise<Finished & { text: string; events: TurnEvent[] }> {
  const events: TurnEvent[] = [];
  for await (const event of manager.respond(tenant, request, signal ? { signal } : {})) events.push(event);
  const last = events.at(-1);
  if (last?.type !== 'finished') throw new Error(`a turn ended with ${last?.type ?? 'nothing'}`);
  const text = events.map((event) => (event.type === 'delta' ? event.text : '')).join('');
  return { ...last, text, events };
}

/** Everything the store holds of the tenants, by kind: ids of records, and of blobs. */
export async function inventory(store: Store, tenants = ['acme']): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const tenant of tenants) {
    for (const kind of ['session', 'file', 'blob', 'dedup', 'tombstone']) {
      const records = await store.records.list(tenant, kind, { limit: 10_000 });
      if (records.length > 0) found[kind] = records.map(({ key }) => key.id);
    }
    const blobs = await store.blobs.list(tenant, 'upload');
    if (blobs.length > 0) found.upload = blobs;
  }
  return found;
}

/** Committed responses in the session of a response. */
export async function responsesIn(store: Store, responseId: string, tenant = 'acme'): Promise<number> {
  const { session = '' } = parseResponseId(responseId) ?? {};
  const stored = await store.records.get({ tenant, kind: 'session', id: session });
  return stored ? decodeRecord(session, stored.value).responses.length : 0;
}
