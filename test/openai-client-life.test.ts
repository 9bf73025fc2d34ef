import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServerRun, servers } from './helpers/servers.ts';

/** What happens to files, items and responses over their life, through the official client and the real engine. */

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const rabbit = path('../examples/rabbit.png');
const dog = path('../examples/dog.png');
const flags = ['--engine', 'native', '--gpu', 'off', '--vision-weights', 'f16'];
const model = 'afterimage-tiny';

const { newFolder, start } = servers({ endAfter: afterAll });
const folder = newFolder();
let server: ServerRun;
let client: OpenAI;

async function open(): Promise<void> {
  server = await start(folder, { flags });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
}
beforeAll(open, 60_000);

const upload = (file: string) => client.files.create({ file: createReadStream(file), purpose: 'vision' });

const showing = (fileId: string, text: string): OpenAI.Responses.ResponseInput => [
  {
    role: 'user',
    content: [
      { type: 'input_image', file_id: fileId, detail: 'auto' },
      { type: 'input_text', text },
    ],
  },
];

/** Our own field, which the client hands through. */
interface Cost {
  readonly images_encoded: number;
  readonly images_reused: number;
  readonly tokens_computed: number;
}
const costOf = (response: object): Cost => (response as { afterimage: Cost }).afterimage;

test('a background turn is followed, left, taken up again after an event, and read when it is done', async () => {
  const { id } = await upload(rabbit);
  const input = showing(id, 'Describe the product.');
  const stream = await client.responses.create({ model, input, background: true, stream: true });
  const seen: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of stream) {
    seen.push(event);
    if (event.type === 'response.output_text.delta') break;
  }
  const [created] = seen;
  const response = created?.type === 'response.created' ? created.response : undefined;
  expect(response?.background).toBe(true);
  const last = seen.at(-1)?.sequence_number ?? Number.NaN;
  const rest = await client.responses.retrieve(response?.id ?? '', { stream: true, starting_after: last });
  for await (const event of rest) seen.push(event);
  expect(seen.map((event) => event.sequence_number)).toEqual(seen.map((_, index) => index));
  const text = seen.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
  const end = seen.at(-1);
  expect(end?.type).toBe('response.completed');
  const kept = await client.responses.retrieve(response?.id ?? '');
  expect([kept.status, kept.output_text]).toEqual(['completed', text]);
  expect(text).toContain('rabbit');
});

test('a background turn is cancelled, and its session goes on without it', async () => {
  const { id } = await upload(rabbit);
  const root = await client.responses.create({ model, input: showing(id, 'What is the brand?') });
  const long = await client.responses.create({
    model,
    input: 'Count to a thousand.',
    previous_response_id: root.id,
    background: true,
  });
  const cancelled = await client.responses.cancel(long.id);
  expect(['cancelled', 'completed']).toContain(cancelled.status);
  expect((await client.responses.retrieve(long.id)).status).toBe(cancelled.status);
  const next = await client.responses.create({
    model,
    input: 'How much is it?',
    previous_response_id: root.id,
  });
  expect(next.output_text).toBe('$49.');
});

test('tokens are counted beforehand as the turn then counts them', async () => {
  const { id } = await upload(dog);
  const input = showing(id, 'What is the brand?');
  const { input_tokens: counted } = await client.responses.inputTokens.count({ model, input });
  const told = await client.responses.create({ model, input });
  expect(told.usage?.input_tokens).toBe(counted);
  const more = { model, input: 'Is it in stock?', previous_response_id: told.id };
  const { input_tokens: next } = await client.responses.inputTokens.count(more);
  expect((await client.responses.create(more)).usage?.input_tokens).toBe(next);
});

test('a picture that was prewarmed is there when the question comes', async () => {
  const { id } = await upload(path('./fixtures/samples/s11a.png'));
  const warm = await client.responses.create({
    model,
    input: [{ role: 'user', content: [{ type: 'input_image', file_id: id, detail: 'auto' }] }],
    // The client's types don't have it yet.
    prompt_cache_options: { prewarm: true } as object,
  });
  expect([warm.status, warm.output]).toEqual(['completed', []]);
  expect(costOf(warm).images_encoded).toBe(1);
  expect(costOf(warm).tokens_computed).toBeGreaterThan(60);
  expect(warm.usage?.output_tokens).toBe(0);
  const asked = await client.responses.create({
    model,
    input: 'What is this?',
    previous_response_id: warm.id,
  });
  expect(costOf(asked)).toMatchObject({ images_encoded: 0, images_reused: 1 });
  expect(asked.output_text).not.toBe('');
});

test('items of a conversation are added, read and taken out, and what is left is what the model sees', async () => {
  const { id: picture } = await upload(rabbit);
  const { id } = await client.conversations.create({ items: showing(picture, 'Look at this.') });
  const [question] = (await client.conversations.items.list(id)).data;
  const added = await client.conversations.items.create(id, {
    items: [
      { role: 'assistant', content: 'I see a rabbit.' },
      { role: 'user', content: 'Forget it.' },
    ],
  });
  expect(added.data).toHaveLength(2);
  const forgotten = added.data[1]?.id ?? '';
  const at = { conversation_id: id };
  expect(await client.conversations.items.retrieve(forgotten, at)).toMatchObject({ role: 'user' });
  await client.conversations.items.delete(forgotten, at);
  await expect(client.conversations.items.retrieve(forgotten, at)).rejects.toBeInstanceOf(
    OpenAI.NotFoundError,
  );
  expect(await client.conversations.items.retrieve(question?.id ?? '', at)).toMatchObject({ role: 'user' });
  const told = await client.responses.create({ model, conversation: id, input: 'What is the brand?' });
  expect(told.output_text).toBe('Zentro.');
  const updated = await client.conversations.update(id, { metadata: { topic: 'rabbits' } });
  expect(updated.metadata).toEqual({ topic: 'rabbits' });
});

test('files are listed, read back byte for byte, and gone when deleted; sessions keep what they show', async () => {
  const first = await upload(rabbit);
  const again = await upload(rabbit);
  expect((again as { afterimage?: object }).afterimage).toMatchObject({ known: true });
  expect(again.id).not.toBe(first.id);
  const listed: string[] = [];
  for await (const file of client.files.list({ limit: 2 })) listed.push(file.id);
  expect(listed).toEqual(expect.arrayContaining([first.id, again.id]));
  expect(await client.files.retrieve(first.id)).toMatchObject({ bytes: 31_940, filename: 'rabbit.png' });
  const response = await client.responses.create({ model, input: showing(first.id, 'What is the brand?') });
  expect(await client.files.delete(first.id)).toMatchObject({ deleted: true });
  expect(await client.files.delete(again.id)).toMatchObject({ deleted: true });
  await expect(client.files.retrieve(first.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  const next = { model, input: 'How much is it?', previous_response_id: response.id };
  expect((await client.responses.create(next)).output_text).toBe('$49.');
});

test('what is not stored can be seen once and not followed', async () => {
  const { id } = await upload(rabbit);
  const seen = await client.responses.create({
    model,
    input: showing(id, 'What is the brand?'),
    store: false,
  });
  expect(seen.output_text).toBe('Zentro.');
  await expect(client.responses.retrieve(seen.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(
    client.responses.create({ model, input: 'And?', previous_response_id: seen.id }),
  ).rejects.toMatchObject({ status: 404, param: 'previous_response_id' });
});

// Last: it takes the server away.
test('the server is killed between two turns, and the third follows the second', async () => {
  const { id } = await upload(dog);
  const first = await client.responses.create({ model, input: showing(id, 'What is the brand?') });
  const second = await client.responses.create({
    model,
    input: 'How much is it?',
    previous_response_id: first.id,
  });
  server.process.kill('SIGKILL');
  await server.exit;
  await open();
  const third = await client.responses.create({
    model,
    input: 'Is it in stock?',
    previous_response_id: second.id,
  });
  expect(third.output_text).toBe('It is sold out.');
  // The state of the picture is on disk: it is not encoded again.
  expect(costOf(third)).toMatchObject({ images_encoded: 0, tier: 'disk' });
  const fourth = await client.responses.create({
    model,
    input: 'What is the brand?',
    previous_response_id: third.id,
  });
  expect(fourth.output_text).toBe(first.output_text);
  expect(costOf(fourth)).toMatchObject({ images_encoded: 0, images_reused: 1 });
});
