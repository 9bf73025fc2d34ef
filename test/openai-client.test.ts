import { createReadStream, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { type ServerRun, servers } from './helpers/servers.ts';

/** The official client, unchanged, over a real socket to the real engine in the server's own processes. */

const samples = fileURLToPath(new URL('./fixtures/samples/', import.meta.url));
const rabbit = fileURLToPath(new URL('../examples/rabbit.png', import.meta.url));
const questions = [
  'What is the brand?',
  'How much is it?',
  'What animal is it?',
  'Is it in stock?',
  '多少钱？',
] as const;

const { newFolder, start } = servers({ endAfter: afterAll });
let server: ServerRun;
let client: OpenAI;
let model: string;
beforeAll(async () => {
  server = await start(newFolder(), {
    flags: ['--engine', 'native', '--gpu', 'off', '--vision-weights', 'f16'],
  });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
  const [first] = (await client.models.list()).data;
  model = (first as OpenAI.Model).id;
}, 60_000);

async function encoderCalls(): Promise<number> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^afterimage_engine_encoder_calls_total (\d+)$/m.exec(page)?.[1]);
}

let calls: number;
beforeEach(async () => {
  calls = await encoderCalls();
  expect(calls).toBeGreaterThanOrEqual(0);
});

const upload = (path = rabbit) => client.files.create({ file: createReadStream(path), purpose: 'vision' });

const showing = (fileId: string, text: string): OpenAI.Responses.ResponseInput => [
  {
    role: 'user',
    content: [
      { type: 'input_image', file_id: fileId, detail: 'auto' },
      { type: 'input_text', text },
    ],
  },
];

test('upload once, five follow-ups by previous_response_id: one encode, and answers about the picture', async () => {
  const file = await upload(`${samples}s01.png`);
  expect(file.id).toMatch(/^file-/);
  let last = await client.responses.create({ model, input: showing(file.id, 'What does the screen show?') });
  expect(last.output_text).toBe('3.');
  for (const input of ['Which ones?', ...questions.slice(0, 4)]) {
    const before = last;
    last = await client.responses.create({ model, input, previous_response_id: before.id });
    expect(last.previous_response_id).toBe(before.id);
    expect(last.usage?.input_tokens_details.cached_tokens).toBeGreaterThanOrEqual(
      before.usage?.input_tokens ?? Number.NaN,
    );
  }
  expect(await encoderCalls()).toBe(calls + 1);
});

test('the same in a conversation, whose items page in order and can be deleted', async () => {
  const file = await upload(`${samples}s04.png`);
  const conversation = await client.conversations.create({ metadata: { topic: 'screen' } });
  await client.responses.create({
    model,
    conversation: conversation.id,
    input: showing(file.id, 'What is this?'),
  });
  for (const input of questions)
    await client.responses.create({ model, conversation: conversation.id, input });
  expect(await encoderCalls()).toBe(calls + 1);

  const items = [];
  for await (const item of client.conversations.items.list(conversation.id, { limit: 5, order: 'asc' })) {
    items.push(item);
  }
  expect(items.map((item) => item.type === 'message' && item.role)).toEqual(
    Array.from({ length: 6 }, () => ['user', 'assistant']).flat(),
  );
  expect(new Set(items.map(({ id }) => id)).size).toBe(12);

  expect((await client.conversations.retrieve(conversation.id)).metadata).toEqual({ topic: 'screen' });
  expect(await client.conversations.delete(conversation.id)).toMatchObject({ deleted: true });
  await expect(client.conversations.retrieve(conversation.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
});

test('a branch answers as the trunk would, without a new encode', async () => {
  const file = await upload();
  const root = await client.responses.create({ model, input: showing(file.id, 'What animal is it?') });
  const [left, right] = await Promise.all(
    ['What is the brand?', 'How much is it?'].map((input) =>
      client.responses.create({ model, input, previous_response_id: root.id }),
    ),
  );
  expect(left?.output_text).toBe('Zentro.');
  expect(right?.output_text).toBe('$49.');
  const onTop = await client.responses.create({
    model,
    input: 'How much is it?',
    previous_response_id: left?.id ?? '',
  });
  expect(onTop.output_text).toBe('$49.');
  expect(await encoderCalls()).toBe(calls + 1);
});

test('the streaming helper sees the same answer as a plain call, and the last event is what can be retrieved', async () => {
  const file = await upload();
  const input = showing(file.id, 'What is the brand?');
  const plain = await client.responses.create({ model, input });
  const stream = client.responses.stream({ model, input });
  const types: string[] = [];
  stream.on('event', ({ type }) => types.push(type));
  const final = await stream.finalResponse();
  expect(types.at(0)).toBe('response.created');
  expect(types.at(-1)).toBe('response.completed');
  expect(final.output_text).toBe(plain.output_text);
  const kept = await client.responses.retrieve(final.id);
  expect(kept.output).toEqual(final.output.map(({ ...item }) => expect.objectContaining({ id: item.id })));
  const inputItems = await client.responses.inputItems.list(final.id);
  expect(inputItems.data).toHaveLength(1);

  await client.responses.delete(final.id);
  await expect(client.responses.retrieve(final.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
});

test('.parse gives an object that fits its schema, whatever the model would have liked to say', async () => {
  const file = await upload();
  const card = z.object({
    brand: z.string().max(20),
    price: z.number(),
    colours: z.array(z.enum(['red', 'green', 'blue'])).max(2),
  });
  const { output_parsed } = await client.responses.parse({
    model,
    input: showing(file.id, 'Describe it.'),
    text: { format: zodTextFormat(card, 'card') },
    max_output_tokens: 400,
  });
  expect(card.parse(output_parsed)).toEqual(output_parsed);
});

test('a tool round trip: the call that was asked for, its result, and an answer', async () => {
  const tools: OpenAI.Responses.Tool[] = [
    {
      type: 'function',
      name: 'look_up_price',
      strict: true,
      parameters: {
        type: 'object',
        properties: { brand: { type: 'string', maxLength: 20 }, currency: { enum: ['USD', 'CNY'] } },
        required: ['brand', 'currency'],
        additionalProperties: false,
      },
    },
  ];
  const file = await upload(`${samples}s06.png`);
  const asked = await client.responses.create({
    model,
    tools,
    tool_choice: 'required',
    parallel_tool_calls: false,
    input: showing(file.id, 'How much is it?'),
  });
  const call = asked.output.find((item) => item.type === 'function_call');
  expect(call?.name).toBe('look_up_price');
  const given = JSON.parse(call?.arguments ?? '');
  expect(Object.keys(given).sort()).toEqual(['brand', 'currency']);
  expect(['USD', 'CNY']).toContain(given.currency);

  const told = await client.responses.create({
    model,
    tools,
    previous_response_id: asked.id,
    input: [{ type: 'function_call_output', call_id: call?.call_id ?? '', output: '{"price": 49}' }],
  });
  expect(told.status).toBe('completed');
  expect(told.usage?.input_tokens_details.cached_tokens).toBeGreaterThan(asked.usage?.input_tokens ?? NaN);
  expect(await encoderCalls()).toBe(calls + 1);
});

test('a dialogue with two pictures answers as the engine alone does', async () => {
  const { turns } = JSON.parse(readFileSync(`${samples}s07.json`, 'utf8')) as {
    turns: { user: string; image: string | null; hf: string }[];
  };
  let previous: string | undefined;
  const answers: string[] = [];
  for (const { user, image } of turns) {
    const input = image ? showing((await upload(samples + image)).id, user) : user;
    const reply: OpenAI.Responses.Response = await client.responses.create({
      model,
      input,
      ...(previous !== undefined && { previous_response_id: previous }),
    });
    previous = reply.id;
    answers.push(reply.output_text);
  }
  expect(answers).toEqual(turns.map(({ hf }) => hf));
  expect(await encoderCalls()).toBe(calls + 2);
});

test('Chat Completions: stateless, yet the picture is encoded once and the prefix reused', async () => {
  const url = `data:image/png;base64,${readFileSync(`${samples}s05a.png`).toString('base64')}`;
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url } },
        { type: 'text', text: 'What is this?' },
      ],
    },
  ];
  for (const question of questions.slice(0, 3)) {
    const { choices, usage } = await client.chat.completions.create({ model, messages });
    if (messages.length > 1) expect(usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(60);
    messages.push({ role: 'assistant', content: choices[0]?.message.content ?? '' });
    messages.push({ role: 'user', content: question });
  }
  expect(await encoderCalls()).toBe(calls + 1);
});

test('errors come as the classes of the client, with code and param', async () => {
  const missing = client.responses.create({ model, input: 'hi', previous_response_id: 'resp_nothing' });
  await expect(missing).rejects.toMatchObject({ status: 404, param: 'previous_response_id' });
  await expect(missing).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const wrong = client.responses.create({ model, input: 'hi', temperature: 3 });
  await expect(wrong).rejects.toBeInstanceOf(OpenAI.BadRequestError);
  await expect(wrong).rejects.toMatchObject({ param: 'temperature' });
  const nobody = client.responses.create({ model: 'gpt-nothing', input: 'hi' });
  await expect(nobody).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});
