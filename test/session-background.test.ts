import { describe, expect, test } from 'vitest';
import { fixtures } from './helpers/sessionFixtures.ts';
import { ask, say, stalling } from './helpers/sessions.ts';

const fixture = fixtures();

describe('background turns', () => {
  test('run on without a reader, can be polled, and replayed from any event', async () => {
    const { manager } = await fixture();
    const events = manager.respond('acme', { input: say('a'), background: true });
    const { value: started } = await events.next();
    await events.return?.();
    if (started?.type !== 'started') throw new Error('not started');
    const { id } = started.response;
    await expect.poll(async () => (await manager.responses.get('acme', id)).status).toBe('completed');
    const replayed = [];
    for await (const event of await manager.responses.events('acme', id, 0)) replayed.push(event.type);
    expect(replayed).toEqual([...Array(9).fill('delta'), 'finished']);
  });

  test('can be cancelled; a cancelled one stays, says so, and cannot be built on', async () => {
    const { manager } = await fixture({ engine: stalling(1) });
    const events = manager.respond('acme', { input: say('a'), background: true });
    const { value: started } = await events.next();
    const id = started?.type === 'started' ? started.response.id : '';
    expect((await manager.responses.get('acme', id)).status).toBe('in_progress');
    expect((await manager.responses.cancel('acme', id)).status).toBe('cancelled');
    expect((await manager.responses.cancel('acme', id)).status).toBe('cancelled');
    await expect(ask(manager, { input: say('b'), previousResponseId: id })).rejects.toMatchObject({
      code: 'invalid_parameter',
    });
    const last = [];
    for await (const event of events) last.push(event.type);
    expect(last).toEqual(['delta', 'finished']);
    const { response } = await ask((await fixture()).manager, { input: say('a') });
    await expect(manager.responses.cancel('acme', response.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a foreground turn cannot be cancelled, a lost event log says so', async () => {
    const { manager } = await fixture({ config: { eventLogBytes: 0 } });
    const { response } = await ask(manager, { input: say('a') });
    await expect(manager.responses.cancel('acme', response.id)).rejects.toMatchObject({
      code: 'invalid_parameter',
    });
    const background = await ask(manager, { input: say('a'), background: true });
    await expect.poll(async () => (await manager.stats()).runningTurns).toBe(0);
    await expect(manager.responses.events('acme', background.response.id)).rejects.toMatchObject({
      code: 'events_gone',
    });
  });
});
