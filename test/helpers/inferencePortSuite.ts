import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failure } from '../../src/core/errors.ts';
import type { InferencePort } from '../../src/core/inference.ts';
import type { GenerateEvent, GenerateRequest, GenerateResult, ImageSource } from '../../src/core/request.ts';
import type { ToolCall } from '../../src/core/tools.ts';

export interface PortUnderTest {
  readonly port: InferencePort;
  /** Its answer has at least 30 deltas and takes at least 100 ms. */
  readonly long: GenerateRequest;
}

/** A picture nobody has seen, 64 x 64 by default; `fetches` counts how often its pixels were asked for. */
export function freshImage({ width = 64, height = 64 } = {}): ImageSource & { fetches(): number } {
  const rgb = new Uint8Array(randomBytes(width * height * 3));
  let fetches = 0;
  return {
    digest: `sha256:${randomBytes(32).toString('hex')}`,
    width,
    height,
    fetches: () => fetches,
    pixels: async () => {
      fetches++;
      return rgb;
    },
  };
}

export function ask(
  text: string,
  { tenant = 'acme', image }: { tenant?: string; image?: ImageSource } = {},
): GenerateRequest {
  const picture = image ? [{ type: 'image', image } as const] : [];
  const content = [...picture, { type: 'text', text } as const];
  return { tenant, messages: [{ role: 'user', content }], maxOutputTokens: 8 };
}

export async function collect(
  events: AsyncIterable<GenerateEvent>,
): Promise<{ deltas: string[]; calls: ToolCall[]; result: GenerateResult }> {
  const deltas: string[] = [];
  const calls: ToolCall[] = [];
  const results: GenerateResult[] = [];
  for await (const event of events) {
    if (event.type === 'done') results.push(event.result);
    else if (event.type === 'toolCall') calls.push(event.call);
    else {
      expect([...results, ...calls], 'a delta after a call or done').toEqual([]);
      deltas.push(event.text);
    }
  }
  const [result] = results;
  expect(results).toHaveLength(1);
  if (!result) throw new Error('no done event');
  expect(result.toolCalls).toEqual(calls);
  return { deltas, calls, result };
}

/** What every inference port promises; `make` is called anew for each test. */
export function describeInferencePort(
  name: string,
  make: () => PortUnderTest | Promise<PortUnderTest>,
): void {
  describe(`${name} as an inference port`, () => {
    let port: InferencePort;
    let long: GenerateRequest;
    beforeEach(async () => {
      ({ port, long } = await make());
    });
    afterEach(() => port.dispose());

    async function expectIdle(): Promise<void> {
      await expect.poll(async () => (await port.stats()).running, { timeout: 5_000, interval: 10 }).toBe(0);
      expect((await port.stats()).waiting).toBe(0);
    }

    test('says the same of itself every time', async () => {
      const info = await port.ready();
      expect(info.maxRunning).toBeGreaterThanOrEqual(1);
      expect(await port.ready()).toEqual(info);
    });

    test('yields deltas, then exactly one done that repeats them', async () => {
      const { deltas, result } = await collect(port.generate(ask('What is this?', { image: freshImage() })));
      expect(deltas.join('')).toBe(result.text);
      expect(result.usage.outputTokens).toBeGreaterThanOrEqual(1);
      expect(result.usage.outputTokens).toBeLessThanOrEqual(8);
      expect(result.usage).toMatchObject({ imageTokens: 4, imagesEncoded: 1, imagesReused: 0 });
      expect(result.usage.promptTokens).toBeGreaterThan(4);
      for (const ms of Object.values(result.timings)) expect(ms).toBeGreaterThanOrEqual(0);
    });

    test('gives the same answer to the same request, and leaves the request as it was', async () => {
      const request = ask('What is this?', { image: freshImage() });
      const before = structuredClone(withoutFunctions(request));
      const first = await collect(port.generate(deepFreeze(request)));
      const second = await collect(port.generate(request));
      expect(second.result.text).toBe(first.result.text);
      expect(second.result.tokens).toEqual(first.result.tokens);
      expect(withoutFunctions(request)).toEqual(before);
    });

    test('stops at the token limit', async () => {
      const { result } = await collect(port.generate({ ...long, maxOutputTokens: 3 }));
      expect(result.finishReason).toBe('length');
      expect(result.usage.outputTokens).toBe(3);
      expect(result.tokens).toHaveLength(3);
    });

    test('throws the reason of a signal that was aborted before', async () => {
      const reason = new Error('changed my mind');
      await expect(collect(port.generate(long, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
      await expect(port.prewarm(long, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      await expectIdle();
    });

    test('an abort throws its reason and stops the work', async () => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const events = port.generate(long, { signal: controller.signal })[Symbol.asyncIterator]();
      expect((await events.next()).value?.type).toBe('delta');
      controller.abort(reason);
      await expect(drain(events)).rejects.toBe(reason);
      await expectIdle();
      const { outputTokens } = await port.stats();
      await sleep(50);
      expect((await port.stats()).outputTokens).toBe(outputTokens);
    });

    test('leaving the loop early frees the slot', async () => {
      const { maxRunning } = await port.ready();
      for (let round = 0; round < 2; round++) {
        const loops = Array.from({ length: maxRunning }, async () => {
          for await (const event of port.generate(long)) {
            expect(event.type).toBe('delta');
            break;
          }
        });
        await Promise.all(loops);
      }
      await expectIdle();
      await collect(port.generate(ask('still there?')));
    });

    test('a request that waits for a slot runs when one is free, and can be aborted while it waits', async () => {
      const { maxRunning } = await port.ready();
      const holders = Array.from({ length: maxRunning }, () => collect(port.generate(long)));
      await expect.poll(async () => (await port.stats()).running, { interval: 5 }).toBe(maxRunning);
      const controller = new AbortController();
      const aborted = collect(port.generate(ask('never runs'), { signal: controller.signal }));
      const patient = collect(port.generate(ask('runs later')));
      const reason = new Error('tired of waiting');
      controller.abort(reason);
      await expect(aborted).rejects.toBe(reason);
      expect((await patient).result.text).not.toBe('');
      await Promise.all(holders);
      await expectIdle();
    });

    test.each<[string, Partial<GenerateRequest>]>([
      ['no message', { messages: [] }],
      ['no output', { maxOutputTokens: 0 }],
      ['a fifth stop string', { stop: ['a', 'b', 'c', 'd', 'e'] }],
      ['too much heat', { sampling: { temperature: 2.5 } }],
      ['a tool without a name', { tools: [{ name: '' }] }],
      ['two tools of one name', { tools: [{ name: 'look' }, { name: 'look' }] }],
      ['arguments that are no object', { tools: [{ name: 'look', parameters: { type: 'string' } }] }],
      ['a choice of no tool', { toolChoice: 'required' }],
      ['a choice of an unknown tool', { tools: [{ name: 'look' }], toolChoice: { name: 'listen' } }],
      ['a result without a call', { messages: [{ role: 'tool', content: [{ type: 'text', text: '1' }] }] }],
    ])('refuses %s before the first event', async (_, wrong) => {
      const events = port.generate({ ...ask('hi'), ...wrong })[Symbol.asyncIterator]();
      await expect(events.next()).rejects.toMatchObject({ code: 'invalid_parameter' });
      expect(await events.next()).toEqual({ done: true, value: undefined });
      await expectIdle();
    });

    test('refuses a schema that it could not enforce, naming the place', async () => {
      const schema = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
      const request: GenerateRequest = { ...ask('hi'), format: { type: 'json_schema', schema } };
      const refusal = {
        code: 'unsupported_parameter',
        details: { param: 'format.schema.properties.a.uniqueItems' },
      };
      await expect(collect(port.generate(request))).rejects.toMatchObject(refusal);
      await expect(port.countTokens(request)).rejects.toMatchObject(refusal);
      await expectIdle();
    });

    test('counts the tokens of a prompt without computing anything', async () => {
      const image = freshImage();
      const request = ask('What is this?', { image });
      const { limit, ...count } = await port.countTokens(request);
      expect(image.fetches()).toBe(0);
      expect((await port.stats()).promptTokens).toBe(0);
      const { result } = await collect(port.generate(request));
      expect(count).toEqual({
        promptTokens: result.usage.promptTokens,
        imageTokens: result.usage.imageTokens,
      });
      const withTools = await port.countTokens({ ...request, tools: [{ name: 'look' }] });
      expect(withTools.promptTokens).toBeGreaterThan(count.promptTokens);
      const tooLong = await port.countTokens(ask('long '.repeat(limit)));
      expect(tooLong.promptTokens).toBeGreaterThan(limit);
      await expect(port.countTokens({ ...request, messages: [] })).rejects.toMatchObject({
        code: 'invalid_parameter',
      });
    });

    test('encodes a picture once per tenant, until it is forgotten', async () => {
      const image = freshImage();
      const request = ask('What is this?', { image });
      await collect(port.generate(request));
      const again = await collect(port.generate(ask('And what colour?', { image })));
      expect(image.fetches()).toBe(1);
      expect(again.result.usage).toMatchObject({ imagesEncoded: 0, imagesReused: 1 });

      await collect(port.generate({ ...request, tenant: 'other' }));
      expect(image.fetches()).toBe(2);
      expect((await port.stats()).encoderCalls).toBe(2);

      await port.forget('acme');
      await collect(port.generate({ ...request, tenant: 'other' }));
      expect(image.fetches()).toBe(2);
      await collect(port.generate(request));
      expect(image.fetches()).toBe(3);
      expect((await port.stats()).encoderCalls).toBe(3);
    });

    test('requests that come together share the encoding of a picture', async () => {
      const image = freshImage();
      await Promise.all(['a', 'b', 'c'].map((text) => collect(port.generate(ask(text, { image })))));
      expect(image.fetches()).toBe(1);
      expect((await port.stats()).encoderCalls).toBe(1);
    });

    test('prewarm encodes without an answer, once', async () => {
      const image = freshImage();
      const request = ask('What is this?', { image });
      await port.prewarm(request);
      await port.prewarm(request);
      const { result } = await collect(port.generate(request));
      expect(image.fetches()).toBe(1);
      expect(result.usage.imagesEncoded).toBe(0);
    });

    test('pixels that can not be had fail their request only', async () => {
      const broken: ImageSource = {
        ...freshImage(),
        pixels: () => Promise.reject(failure('image_damaged', { format: 'PNG' })),
      };
      const failing = collect(port.generate(ask('What is this?', { image: broken })));
      await expect(failing).rejects.toMatchObject({ code: 'image_damaged', details: { format: 'PNG' } });
      await expectIdle();
      await collect(port.generate(ask('still there?')));
    });

    test('counters never go down', async () => {
      const image = freshImage();
      let before = await port.stats();
      for (const text of ['one', 'two', 'three']) {
        await collect(port.generate(ask(text, { image })));
        const after = await port.stats();
        expect(after.outputTokens).toBeGreaterThan(before.outputTokens);
        expect(after.promptTokens).toBeGreaterThan(before.promptTokens);
        for (const counter of ['encoderCalls', 'imagesReused', 'reusedTokens', 'restarts'] as const) {
          expect(after[counter]).toBeGreaterThanOrEqual(before[counter]);
        }
        before = after;
      }
      expect(before).toMatchObject({ encoderCalls: 1, imagesReused: 2, restarts: 0 });
    });

    test('dispose fails what runs, and everything after', async () => {
      const events = port.generate(long)[Symbol.asyncIterator]();
      await events.next();
      const rest = drain(events);
      await Promise.all([
        expect(rest).rejects.toMatchObject({ code: 'engine_unavailable' }),
        port.dispose(),
        port.dispose(),
      ]);
      await port.dispose();
      await expect(collect(port.generate(ask('anyone?')))).rejects.toMatchObject({
        code: 'engine_unavailable',
      });
    });
  });
}

async function drain(events: AsyncIterator<GenerateEvent>): Promise<void> {
  while (!(await events.next()).done);
}

function withoutFunctions(request: GenerateRequest): unknown {
  return JSON.parse(JSON.stringify(request));
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner) deepFreeze(inner);
  return Object.freeze(value);
}
