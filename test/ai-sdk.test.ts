import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, type ModelMessage, Output, stepCountIs, streamText, tool, uploadFile } from 'ai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type ServerRun, servers } from './helpers/servers.ts';

/** `ai` with its OpenAI provider, unchanged, against the real server. */

const rabbit = readFileSync(fileURLToPath(new URL('../examples/rabbit.png', import.meta.url)));

const { newFolder, start } = servers({ endAfter: afterAll });
let server: ServerRun;
let openai: ReturnType<typeof createOpenAI>;
const model = () => openai.responses('afterimage-tiny');
beforeAll(async () => {
  server = await start(newFolder(), {
    flags: ['--engine', 'native', '--gpu', 'off', '--vision-weights', 'f16'],
  });
  openai = createOpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
}, 60_000);

async function encoderCalls(): Promise<number> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^afterimage_engine_encoder_calls_total (\d+)$/m.exec(page)?.[1]);
}

const picture = (data: Uint8Array | string | Record<string, string>, text: string): ModelMessage => ({
  role: 'user',
  content: [
    { type: 'file', mediaType: 'image/png', data },
    { type: 'text', text },
  ],
});

const responseId = (result: { providerMetadata: Record<string, unknown> | undefined }): string =>
  (result.providerMetadata as { openai: { responseId: string } }).openai.responseId;

test('a picture is uploaded once and asked about five times: one encode', async () => {
  const calls = await encoderCalls();
  const file = await uploadFile({
    api: openai,
    data: rabbit,
    mediaType: 'image/png',
    filename: 'rabbit.png',
    providerOptions: { openai: { purpose: 'vision' } },
  });
  let last = await generateText({
    model: model(),
    messages: [picture(file.providerReference, 'What is the brand?')],
  });
  expect(last.text).toBe('Zentro.');
  const answers: string[] = [];
  for (const prompt of ['How much is it?', '多少钱？', 'What is the brand?', 'How much is it?']) {
    last = await generateText({
      model: model(),
      prompt,
      providerOptions: { openai: { previousResponseId: responseId(last) } },
    });
    answers.push(last.text);
  }
  expect(answers).toEqual(['$49.', '$49。', 'Zentro.', '$49.']);
  expect(await encoderCalls()).toBe(calls + 1);
});

test('a conversation, with the history on the server', async () => {
  const made = await fetch(`${server.url}/v1/conversations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const { id: conversation } = (await made.json()) as { id: string };
  const providerOptions = { openai: { conversation } };
  await generateText({ model: model(), messages: [picture(rabbit, 'What animal is it?')], providerOptions });
  const next = await generateText({ model: model(), prompt: 'How much is it?', providerOptions });
  expect(next.text).toBe('$49.');
});

test('the whole history sent back, where its answers are references to stored items', async () => {
  const messages: ModelMessage[] = [picture(rabbit, 'What is the brand?')];
  const first = await generateText({ model: model(), messages });
  messages.push(...first.response.messages, { role: 'user', content: 'How much is it?' });
  const second = await generateText({ model: model(), messages });
  expect(second.text).toBe('$49.');
  expect(second.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan(100);
});

test('streaming gives the same text', async () => {
  const messages = [picture(rabbit, 'What is the brand?')];
  const stream = streamText({ model: model(), messages });
  let text = '';
  for await (const part of stream.textStream) text += part;
  expect(text).toBe('Zentro.');
  expect((await stream.usage).outputTokens).toBeGreaterThan(0);
});

test('an object that fits its schema', async () => {
  const schema = z.object({ brand: z.string().max(40), price: z.number() });
  const { output } = await generateText({
    model: model(),
    messages: [picture(rabbit, 'Describe it.')],
    output: Output.object({ schema }),
    maxOutputTokens: 400,
  });
  expect(schema.parse(output)).toEqual(output);
});

test('a tool is called, run and answered from in one go', async () => {
  const asked: string[] = [];
  const result = await generateText({
    model: model(),
    messages: [picture(rabbit, 'How much is it?')],
    tools: {
      price: tool({
        description: 'Looks up a price.',
        inputSchema: z.object({ brand: z.enum(['Zentro', 'Delta']) }),
        execute: async ({ brand }) => {
          asked.push(brand);
          return { price: 49 };
        },
      }),
    },
    prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
    stopWhen: stepCountIs(2),
  });
  expect(asked.length).toBeGreaterThan(0);
  expect(result.steps).toHaveLength(2);
});
