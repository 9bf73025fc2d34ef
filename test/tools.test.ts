import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ChatMessage, ContentPart, GenerateRequest } from '../src/core/request.ts';
import type { FunctionTool } from '../src/core/tools.ts';
import { Engine } from '../src/engine/engine.ts';
import { imageSourceFromFile } from '../src/images/load.ts';
import { collect } from './helpers/inferencePortSuite.ts';
import { silentLogger } from './helpers/silentLogger.ts';

const samples = new URL('./fixtures/samples/', import.meta.url).pathname;
const logged: { fields: object; message: string }[] = [];

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.open(
    { gpu: 'off', kvCells: 8192, visionWeightType: 'f16' },
    { ...silentLogger, debug: (fields, message) => logged.push({ fields, message }) },
  );
});
afterAll(() => engine.dispose());

let tenant: string;
let tenants = 0;
beforeEach(() => {
  tenant = `tenant-${++tenants}`;
});

const complete = (request: Partial<GenerateRequest> & Pick<GenerateRequest, 'messages'>) =>
  collect(engine.generate({ tenant, maxOutputTokens: 300, ...request }));

async function picture(name: string): Promise<ContentPart> {
  return { type: 'image', image: await imageSourceFromFile(samples + name, 'auto') };
}

async function question(text: string, ...images: string[]): Promise<ChatMessage> {
  return { role: 'user', content: [...(await Promise.all(images.map(picture))), { type: 'text', text }] };
}

const brand: FunctionTool = {
  name: 'look_up_brand',
  description: 'Finds the price of a brand.',
  parameters: {
    type: 'object',
    properties: {
      brand: { type: 'string', enum: ['Zentro', 'Delta', 'Nova'] },
      count: { type: 'integer', minimum: 1, maximum: 20 },
    },
    required: ['brand', 'count'],
    additionalProperties: false,
  },
};
const brandArguments = z.strictObject({
  brand: z.enum(['Zentro', 'Delta', 'Nova']),
  count: z.int().min(1).max(20),
});
const stop: FunctionTool = { name: 'stop' };

describe('calls', () => {
  test('a required call, its result with a picture, and an answer: no token is computed twice, no picture encoded twice', async () => {
    const messages = [await question('What is the brand?', 's02a.png')];
    const tools = [brand];
    const first = await complete({ messages, tools, toolChoice: 'required', parallelToolCalls: false });
    expect(first.deltas).toEqual([]);
    expect(first.result).toMatchObject({ text: '', finishReason: 'tool_calls' });
    const [call, ...others] = first.calls;
    expect(others).toEqual([]);
    if (!call) throw new Error('no call');
    expect(call.name).toBe('look_up_brand');
    brandArguments.parse(JSON.parse(call.arguments));

    messages.push({ role: 'assistant', content: [], toolCalls: first.calls, tokens: first.result.tokens });
    messages.push({ role: 'tool', content: [{ type: 'text', text: '$12' }, await picture('s02b.png')] });
    const second = await complete({ messages, tools, toolChoice: 'none', maxOutputTokens: 20 });
    const { usage } = first.result;
    // All of the first prompt and answer, but for the token that ended it: end of text, or of the only call.
    expect(second.result.usage.reusedTokens).toBe(usage.promptTokens + usage.outputTokens - 1);
    expect(second.result.usage).toMatchObject({ imagesEncoded: 1, imagesReused: 1 });
    expect(second.calls).toEqual([]);

    messages.push({
      role: 'assistant',
      content: [{ type: 'text', text: second.result.text }],
      tokens: second.result.tokens,
    });
    messages.push(await question('What colour is it?'));
    const third = await complete({ messages, tools, toolChoice: 'none', maxOutputTokens: 5 });
    expect(third.result.usage.reusedTokens).toBeGreaterThanOrEqual(
      second.result.usage.promptTokens + second.result.tokens.length - 1,
    );
  });

  test('calls without tokens are understood as the ones with them', async () => {
    const messages = [await question('What is the brand?', 's02a.png')];
    const tools = [brand];
    const { calls, result } = await complete({
      messages,
      tools,
      toolChoice: { name: brand.name },
      parallelToolCalls: false,
    });
    const results: ChatMessage = { role: 'tool', content: [{ type: 'text', text: '$12' }] };
    const called: ChatMessage = { role: 'assistant', content: [], toolCalls: calls };
    const [written, committed] = await Promise.all([
      engine.countTokens({ tenant, messages: [...messages, called, results], tools }),
      engine.countTokens({
        tenant,
        messages: [...messages, { ...called, tokens: result.tokens }, results],
        tools,
      }),
    ]);
    // The model may have cut the same text into other tokens.
    expect(Math.abs(written.promptTokens - committed.promptTokens)).toBeLessThan(result.tokens.length);
  });

  test('sampled at high temperature calls still follow their schemas, and a named choice its tool', async () => {
    for (let seed = 0; seed < 6; seed++) {
      const { calls, result } = await complete({
        messages: [await question('What is it?')],
        tools: [stop, brand],
        toolChoice: seed % 2 ? 'required' : { name: brand.name },
        parallelToolCalls: false,
        sampling: { temperature: 2, seed },
      });
      expect(result.finishReason).toBe('tool_calls');
      for (const { name, arguments: given } of calls) {
        if (seed % 2 === 0) expect(name).toBe(brand.name);
        if (name === 'stop') expect(JSON.parse(given)).toEqual({});
        else brandArguments.parse(JSON.parse(given));
      }
      expect(calls).toHaveLength(1);
    }
  });

  test('a schema that can not be enforced gives some object, unless the tool is strict', async () => {
    const loose: FunctionTool = { name: 'loose', parameters: { type: 'object', minProperties: 0 } };
    const messages = [await question('What is it?')];
    const { calls, result } = await complete({
      messages,
      tools: [loose],
      toolChoice: 'required',
      sampling: { temperature: 2, seed: 3 },
    });
    for (const { arguments: given } of calls) expect(JSON.parse(given)).toBeTypeOf('object');
    expect(calls.length > 0 || result.finishReason === 'length').toBe(true);
    await expect(complete({ messages, tools: [{ ...loose, strict: true }] })).rejects.toMatchObject({
      code: 'unsupported_parameter',
      details: { param: 'tools[0].parameters.minProperties' },
    });
  });

  test('of a call that the limit cut off nothing is left but the reason', async () => {
    const { calls, result } = await complete({
      messages: [await question('What is it?')],
      tools: [brand],
      toolChoice: 'required',
      maxOutputTokens: 10,
    });
    expect(calls).toEqual([]);
    expect(result.finishReason).toBe('length');
    expect([result.text, result.tokens]).toEqual(['', []]);
    expect(result.usage.outputTokens).toBe(10);
  });
});

describe('answers without calls', () => {
  test('are the same with tools that are strict, not strict and not to be called', async () => {
    const messages = [await question('Please describe the image.', 's02b.png')];
    const plain = await complete({ messages, tools: [brand] });
    const strict = await complete({ messages, tools: [{ ...brand, strict: true }] });
    const none = await complete({ messages, tools: [brand], toolChoice: 'none' });
    expect(plain.result.text.length).toBeGreaterThan(10);
    expect(plain.calls).toEqual([]);
    expect(strict.result.text).toBe(plain.result.text);
    expect(strict.result.tokens).toEqual(plain.result.tokens);
    expect(strict.result.usage).toMatchObject({ outputTokens: plain.result.usage.outputTokens });
    expect(none.result.tokens).toEqual(plain.result.tokens);
  });

  test('sampled with a seed are the same with the grammar and without', async () => {
    const messages = [await question('What is it?', 's02b.png')];
    const sampling = { temperature: 1, topP: 0.9, seed: 11 };
    const plain = await complete({ messages, tools: [brand], sampling });
    const strict = await complete({ messages, tools: [{ ...brand, strict: true }], sampling });
    expect(strict.result.tokens).toEqual(plain.result.tokens);
  });
});

describe('formats', () => {
  const schema = {
    type: 'object',
    properties: {
      what: { type: 'string', maxLength: 12 },
      colours: { type: 'array', items: { enum: ['red', 'green', 'blue'] }, maxItems: 3 },
      price: { type: ['number', 'null'], minimum: 0, maximum: 100 },
    },
    required: ['what', 'colours', 'price'],
    additionalProperties: false,
  } satisfies z.core.JSONSchema.JSONSchema;

  test('a schema is followed, greedily and at high temperature', async () => {
    const messages = [await question('What is it?', 's02a.png')];
    for (const sampling of [{}, ...[1, 2, 3, 4].map((seed) => ({ temperature: 2, topP: 0.95, seed }))]) {
      const { result } = await complete({ messages, format: { type: 'json_schema', schema }, sampling });
      expect(result.finishReason).toBe('stop');
      z.fromJSONSchema(schema).parse(JSON.parse(result.text));
    }
  });

  test('json_object is an object', async () => {
    const messages = [await question('What is it?', 's02a.png')];
    let finished = 0;
    for (let seed = 0; seed < 6; seed++) {
      const sampling = { temperature: 2, seed };
      const { result } = await complete({ messages, format: { type: 'json_object' }, sampling });
      expect(result.text.startsWith('{')).toBe(true);
      if (result.finishReason === 'length') continue;
      finished++;
      z.record(z.string(), z.unknown()).parse(JSON.parse(result.text));
    }
    expect(finished).toBeGreaterThan(0);
  });

  test('with tools there are calls or a text of the format', async () => {
    const messages = [await question('What is it?', 's02a.png')];
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const { calls, result } = await complete({
        messages,
        tools: [brand],
        parallelToolCalls: false,
        format: { type: 'json_schema', schema },
        sampling: { temperature: 2, seed },
      });
      seen.add(result.finishReason);
      if (calls.length === 0) z.fromJSONSchema(schema).parse(JSON.parse(result.text));
      else expect(result.text).toBe('');
      for (const call of calls) brandArguments.parse(JSON.parse(call.arguments));
    }
    expect(seen).toEqual(new Set(['stop', 'tool_calls']));
  });

  test('runs beside free answers without disturbing them', async () => {
    const messages = [await question('What is the brand?', 's02a.png')];
    const [free, bound] = await Promise.all([
      complete({ messages }),
      complete({ messages, format: { type: 'json_schema', schema } }),
    ]);
    expect(free.result.text).toBe('Zentro.');
    z.fromJSONSchema(schema).parse(JSON.parse(bound.result.text));
  });
});

test('the log has counts and the caller’s trace, and nothing of what was said', async () => {
  logged.length = 0;
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { result } = await complete({
    messages: [await question('What is the brand?', 's02a.png')],
    traceparent,
  });
  const [line, ...others] = logged.filter(({ message }) => message === 'engine: answered');
  expect(others).toEqual([]);
  expect(line?.fields).toEqual({
    traceparent,
    ...result.usage,
    ...result.timings,
    finishReason: 'stop',
    toolCalls: 0,
  });
});
