import { afterEach, expect, test, vi } from 'vitest';
import type { GenerateEvent, GenerateRequest } from '../src/core/request.ts';
import type { SessionConfig } from '../src/session/config.ts';
import { PlannedEngine } from './helpers/sessionEngine.ts';
import { ask, FakeClock, type Fixture, openSessions, picture, say } from './helpers/sessions.ts';

/** When the pixels of uploads stay and when they go, told by an engine that does as it is told. */

const minute = 60_000;
const unheldMs = minute;

class PixelEngine extends PlannedEngine {
  keeps = true;
  needsPixels = true;
  error: Error | undefined;
  /** Reached before pixels are asked for. */
  gate: Promise<void> = Promise.resolve();

  constructor() {
    super(() => ({ text: 'ok' }));
  }

  override async keepsFeatures(): Promise<boolean> {
    return this.keeps;
  }

  override async *generate(
    request: GenerateRequest,
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    await this.gate;
    if (this.error) throw this.error;
    const parts = request.messages.flatMap(({ content }) => content);
    for (const part of parts) if (part.type === 'image' && this.needsPixels) await part.image.pixels();
    yield* super.generate(request, options);
  }
}

const open: Fixture<PixelEngine>[] = [];
afterEach(async () => {
  for (const fixture of open.splice(0)) await fixture.close();
});

async function setUp(config: Partial<SessionConfig>) {
  const clock = new FakeClock();
  const engine = new PixelEngine();
  const fixture = await openSessions({ engine, clock, config: { unheldMs, ...config } });
  open.push(fixture);
  const { manager, store } = fixture;
  const put = async () => ({ blobId: (await manager.files.putPicture('acme', picture)).blobId });
  const later = async (): Promise<number> => {
    for (let look = 0; look < 5; look++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      clock.pass(unheldMs + 1);
      await manager.sweep();
    }
    return (await store.blobs.list('acme', 'upload')).length;
  };
  return { ...fixture, clock, put, later };
}

test('a turn that is not stored has its pictures for as long as it waits, then they go', async () => {
  const { engine, manager, clock, put, later } = await setUp({ retention: 'none' });
  const gate = Promise.withResolvers<void>();
  engine.gate = gate.promise;
  const asked = ask(manager, { input: say('a', await put()), store: false });
  await expect.poll(async () => (await manager.stats()).runningTurns).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.pass(unheldMs + 1);
  await manager.sweep();
  gate.resolve();
  expect((await asked).text).toBe('ok');
  expect(await later()).toBe(0);
});

test('a picture that is sent again is kept until its features are', async () => {
  const { engine, manager, put, later } = await setUp({ retention: 'features' });
  const first = await ask(manager, { input: say('a', await put()) });
  expect(await later()).toBe(0);
  engine.keeps = false;
  await expect(
    ask(manager, { input: say('b'), previousResponseId: first.response.id }),
  ).rejects.toMatchObject({ code: 'picture_not_kept' });
  const again = { input: say('b', await put()), previousResponseId: first.response.id };
  const { response } = await ask(manager, again);
  expect(await later()).toBe(1);
  engine.keeps = true;
  await ask(manager, { input: say('c'), previousResponseId: response.id });
  expect(await later()).toBe(0);
});

test('a background turn that failed keeps no pixels that a finished one would not', async () => {
  const { engine, manager, put, later, problems } = await setUp({ retention: 'none' });
  engine.error = new Error('of the engine');
  const events = manager.respond('acme', { input: say('a', await put()), background: true });
  for await (const event of events)
    if (event.type === 'finished') expect(event.response.status).toBe('failed');
  expect(await later()).toBe(0);
  expect(problems).toEqual([]);
});

test('an audit that the disk fails loses no picture', async () => {
  const { manager, store, clock } = await setUp({ fileTtlMs: null });
  const about = { filename: 'a.picture', purpose: 'vision' };
  const { file } = await manager.files.put('acme', picture, about);
  clock.pass(61 * minute);
  const write = vi.spyOn(store.records, 'writeAll').mockRejectedValue(new Error('the disk'));
  await expect(manager.sweep()).rejects.toThrow('the disk');
  expect(Buffer.from(await manager.files.content('acme', file.id))).toEqual(picture);
  write.mockRestore();
  await manager.sweep();
  expect(Buffer.from(await manager.files.content('acme', file.id))).toEqual(picture);
});
