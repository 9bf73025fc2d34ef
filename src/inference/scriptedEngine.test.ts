import { describe, expect, test } from 'vitest';
import { ask, collect, describeInferencePort, freshImage } from '../../test/helpers/inferencePortSuite.ts';
import { ScriptedEngine } from './scriptedEngine.ts';

const longPieces = Array.from({ length: 60 }, (_, index) => ` ${index}`);

describeInferencePort('the scripted engine', () => ({
  port: new ScriptedEngine({
    maxRunning: 2,
    script: ({ messages }) => {
      const part = messages.at(-1)?.content[0];
      return part?.type === 'text' && part.text === 'long' ? { pieces: longPieces, delayMs: 2 } : undefined;
    },
  }),
  long: { ...ask('long'), maxOutputTokens: 60 },
}));

describe('ScriptedEngine', () => {
  test('a script can call functions, behind its text and alone; each call is a token', async () => {
    const toolCalls = [
      { name: 'look', arguments: '{"at":"1"}' },
      { name: 'look', arguments: '{}' },
    ];
    const engine = new ScriptedEngine({
      script: [{ pieces: ['a', 'b'], toolCalls }, { toolCalls }, { pieces: ['a', 'b'], toolCalls }],
    });
    const request = { ...ask('hi'), tools: [{ name: 'look' }] };
    const both = await collect(engine.generate(request));
    expect(both).toMatchObject({ deltas: ['a', 'b'], calls: toolCalls });
    expect(both.result).toMatchObject({ text: 'ab', finishReason: 'tool_calls', usage: { outputTokens: 4 } });
    expect(new Set(both.result.tokens).size).toBe(4);
    const alone = await collect(engine.generate(request));
    expect(alone).toMatchObject({ deltas: [], calls: toolCalls, result: { text: '' } });
    const cut = await collect(engine.generate({ ...request, maxOutputTokens: 3 }));
    expect(cut).toMatchObject({ calls: toolCalls.slice(0, 1), result: { finishReason: 'length' } });
  });

  test('the default answer depends on every message and picture', async () => {
    const engine = new ScriptedEngine();
    const image = freshImage();
    const first = ask('hi', { image });
    const user = { role: 'user', content: [{ type: 'text', text: 'and now?' }] } as const;
    const said = (text: string) => ({ role: 'assistant', content: [{ type: 'text', text }] }) as const;
    const requests = [
      first,
      ask('hi'),
      ask('ho', { image }),
      ask('hi', { image: freshImage() }),
      { ...first, messages: [...first.messages, said('a'), user] },
      { ...first, messages: [...first.messages, said('b'), user] },
      { ...first, messages: [...first.messages, { ...said('b'), tokens: [7] }, user] },
    ];
    const texts: string[] = [];
    for (const request of requests) texts.push((await collect(engine.generate(request))).result.text);
    expect(new Set(texts).size).toBe(requests.length);
    expect((await collect(new ScriptedEngine().generate(first))).result.text).toBe(texts[0]);
  });

  test('plays a list in order, then default answers; stop strings cut inside a piece', async () => {
    const engine = new ScriptedEngine({ script: [{ pieces: ['one'] }, { pieces: ['ab', 'cde', 'f'] }] });
    expect((await collect(engine.generate(ask('1')))).deltas).toEqual(['one']);
    const cut = await collect(engine.generate({ ...ask('2'), stop: ['zz', 'de'] }));
    expect(cut).toMatchObject({ deltas: ['ab', 'c'], result: { text: 'abc', finishReason: 'stop' } });
    expect((await collect(engine.generate(ask('3')))).result.text).toMatch(/^echo /);
  });

  test('records requests, aborts with the pieces sent, and forgets', async () => {
    const engine = new ScriptedEngine({ script: [{ pieces: ['a', 'b', 'c'], stallAt: 2 }] });
    const request = ask('hi');
    const controller = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of engine.generate(request, { signal: controller.signal })) {
        seen.push(event.type);
        if (seen.length === 2) setTimeout(() => controller.abort(new Error('stop')), 5);
      }
    })();
    await expect(reading).rejects.toThrow('stop');
    await engine.forget('acme');
    expect(seen).toEqual(['delta', 'delta']);
    expect(engine.calls).toEqual([
      { type: 'generate', request },
      { type: 'abort', request, pieces: 2 },
      { type: 'forget', tenant: 'acme' },
    ]);
  });

  test('a crash fails everything that runs and loses the features', async () => {
    const engine = new ScriptedEngine({ script: [{ stallAt: 0 }, { crashAt: 1 }] });
    const image = freshImage();
    const bystander = collect(engine.generate(ask('a', { image })));
    const culprit = collect(engine.generate(ask('b')));
    await Promise.all([
      expect(bystander).rejects.toMatchObject({ code: 'engine_unavailable' }),
      expect(culprit).rejects.toMatchObject({ code: 'engine_unavailable' }),
    ]);
    await collect(engine.generate(ask('a', { image })));
    expect(image.fetches()).toBe(2);
    expect(await engine.stats()).toMatchObject({ restarts: 1, running: 0 });
  });

  test('throws scripted errors before the first event or in the middle', async () => {
    const error = { code: 'engine_overloaded', details: { waiting: 9, limit: 8 } } as const;
    const engine = new ScriptedEngine({ script: [{ error }, { pieces: ['a', 'b'], error, errorAt: 1 }] });
    await expect(collect(engine.generate(ask('1')))).rejects.toMatchObject(error);
    const events = engine.generate(ask('2'));
    expect((await events.next()).value).toEqual({ type: 'delta', text: 'a' });
    await expect(events.next()).rejects.toMatchObject(error);
    expect(engine.calls.filter(({ type }) => type === 'abort')).toEqual([]);
  });

  test('slots are given in order of arrival', async () => {
    const engine = new ScriptedEngine({ maxRunning: 1, script: () => ({ pieces: ['x'], delayMs: 2 }) });
    const finished: string[] = [];
    const run = async (text: string) => {
      await collect(engine.generate(ask(text)));
      finished.push(text);
    };
    const all = ['a', 'b', 'c', 'd'].map(run);
    expect(await engine.stats()).toMatchObject({ running: 1, waiting: 3 });
    await Promise.all(all);
    expect(finished).toEqual(['a', 'b', 'c', 'd']);
  });

  test('what is encoded while its tenant is forgotten goes when the request ends', async () => {
    const engine = new ScriptedEngine({ script: [{ stallAt: 1 }] });
    const image = freshImage();
    const events = engine.generate(ask('hi', { image }));
    await events.next();
    await engine.forget('acme');
    await events.return();
    await collect(engine.generate(ask('hi', { image })));
    expect(image.fetches()).toBe(2);
  });
});
