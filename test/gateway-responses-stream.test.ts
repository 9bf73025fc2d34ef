import OpenAI from 'openai';
import { describe, expect, test, vi } from 'vitest';
import { create, eventsOf, listen, openResponses, refused } from './helpers/responsesFixture.ts';

test('what the engine refuses of a stream is told with the field as the client knows it', async () => {
  const error = {
    code: 'context_length_exceeded',
    details: { needed: 9_000, holder: 'the cache', limit: 8_192 },
  };
  const fixture = await openResponses({ engine: { script: [{ error } as never, { error } as never] } });
  const reply = await fixture.request('POST', '/v1/responses', { input: 'x', stream: true });
  expect(eventsOf(await reply.text()).at(-1)).toMatchObject({
    ...{ type: 'error', code: 'context_length_exceeded', param: 'input' },
    error: { param: 'input' },
  });
  expect(await refused(fixture, { input: 'x' })).toEqual([400, 'context_length_exceeded', 'input']);
});

describe('streams, with the official client', () => {
  test('the helper ends with the stored response', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', ' b', ' c'] }] } });
    const client = await listen(fixture);
    const stream = client.responses.stream({ model: 'scripted', input: 'hello' });
    const deltas: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    const final = await stream.finalResponse();
    expect(deltas).toEqual(['a', ' b', ' c']);
    expect(final.output_text).toBe('a b c');
    const { output_text: _, ...stored } = await client.responses.retrieve(final.id);
    expect(final).toMatchObject({ id: stored.id, usage: stored.usage });
  });

  test('an incomplete and an empty answer', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'] }, { pieces: [] }] } });
    const client = await listen(fixture);
    const short = client.responses.stream({ model: 'scripted', input: 'x', max_output_tokens: 1 });
    expect((await short.finalResponse()).status).toBe('incomplete');
    const empty = client.responses.stream({ model: 'scripted', input: 'x' });
    expect(await empty.finalResponse()).toMatchObject({ status: 'completed', output_text: '' });
  });

  test('a parsed answer', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['{"colour":', '"red"}'] }] } });
    const client = await listen(fixture);
    const schema = { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] };
    const response = await client.responses.parse({
      model: 'scripted',
      input: 'colour?',
      text: { format: { type: 'json_schema', name: 'colour', schema } },
    });
    expect(JSON.parse(response.output_text)).toEqual({ colour: 'red' });
    const [call] = fixture.engine.calls;
    expect(call && 'request' in call && call.request.format).toEqual({ type: 'json_schema', schema });
  });

  test('an error before the first event is an HTTP error; after it, an event', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b'], error, errorAt: 1 } as never] },
    });
    const client = await listen(fixture);
    const base = { model: 'scripted', stream: true } as const;
    const early = client.responses.create({ ...base, input: 'x', previous_response_id: 'resp_no' });
    await expect(early).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    const reply = await fixture.request('POST', '/v1/responses', { input: 'x', stream: true });
    const text = await reply.text();
    expect(reply.status).toBe(200);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(eventsOf(text).at(-1)).toMatchObject({
      type: 'error',
      code: 'engine_failed',
      error: { code: 'engine_failed', type: 'server_error' },
    });
    expect(fixture.failed).toHaveLength(2);
  });

  test('an error event is thrown by the client with its code', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b'], error, errorAt: 1 } as never] },
    });
    const client = await listen(fixture);
    const stream = client.responses.stream({ model: 'scripted', input: 'x' });
    await expect(stream.finalResponse()).rejects.toMatchObject({ code: 'engine_failed' });
  });

  test('leaving stops the turn', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], stallAt: 1 }] } });
    const client = await listen(fixture);
    const stream = await client.responses.create({ model: 'scripted', input: 'x', stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') break;
    await vi.waitFor(() => expect(fixture.engine.calls.some(({ type }) => type === 'abort')).toBe(true));
  });

  test('leaving while waiting for a whole reply stops the turn, too', async () => {
    const fixture = await openResponses({ engine: { script: [{ stallAt: 0 }] } });
    const client = await listen(fixture);
    const leaving = new AbortController();
    const asked = client.responses.create({ model: 'scripted', input: 'x' }, { signal: leaving.signal });
    await vi.waitFor(() => expect(fixture.engine.calls).toHaveLength(1));
    leaving.abort();
    await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await vi.waitFor(() => expect(fixture.engine.calls.some(({ type }) => type === 'abort')).toBe(true));
    expect(fixture.problems).toEqual([]);
  });

  test('a reader that stops reading loses its connection and its turn', async () => {
    const piece = 'x'.repeat(256 * 1024);
    const pieces = Array.from({ length: 100 }, () => piece);
    const fixture = await openResponses({
      engine: { script: [{ pieces, delayMs: 5 }] },
      config: { slowReaderMs: 200 },
    });
    const client = await listen(fixture);
    const reply = await client.responses.create({ model: 'scripted', input: 'x', stream: true }).asResponse();
    const reader = reply.body?.getReader();
    await reader?.read();
    await vi.waitFor(
      () => expect(fixture.engine.calls.some(({ type }) => type === 'abort')).toBe(true),
      8_000,
    );
    expect(fixture.finished).toEqual([]);
    await expect(
      (async () => {
        while (!(await reader?.read())?.done);
      })(),
    ).rejects.toThrow();
  }, 20_000);
});

describe('in the background', () => {
  test('the reply comes at once, and is read later', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], delayMs: 20 }] } });
    const client = await listen(fixture);
    const begun = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    expect(begun).toMatchObject({ status: 'in_progress', background: true, output: [], usage: null });
    await vi.waitFor(async () =>
      expect((await client.responses.retrieve(begun.id)).status).toBe('completed'),
    );
    expect((await client.responses.retrieve(begun.id)).output_text).toBe('ab');
    expect(fixture.finished).toEqual([begun.id]);
  });

  test('a stream goes on without its reader, and the rest can be had', async () => {
    const fixture = await openResponses({
      engine: { script: [{ pieces: ['a', 'b', 'c', 'd'], delayMs: 30 }] },
    });
    const client = await listen(fixture);
    const stream = await client.responses.create({
      model: 'scripted',
      input: 'x',
      background: true,
      stream: true,
    });
    let id = '';
    let last = -1;
    for await (const event of stream) {
      if (event.type === 'response.created') id = event.response.id;
      last = event.sequence_number;
      if (event.type === 'response.output_text.delta') break;
    }
    const rest = [];
    const resumed = await client.responses.retrieve(id, { stream: true, starting_after: last });
    for await (const event of resumed) rest.push(event);
    expect(rest[0]?.sequence_number).toBe(last + 1);
    expect(rest.map(({ sequence_number }) => sequence_number)).toEqual(
      rest.map((_, index) => last + 1 + index),
    );
    expect(rest.at(-1)).toMatchObject({ type: 'response.completed', response: { status: 'completed' } });
    const whole = client.responses.stream({ response_id: id, starting_after: last });
    expect((await whole.finalResponse()).output_text).toBe('abcd');
  });

  test('cancelling ends it, and its stream', async () => {
    const fixture = await openResponses({ engine: { script: [{ pieces: ['a', 'b'], stallAt: 1 }] } });
    const client = await listen(fixture);
    const { id } = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    const stream = client.responses.stream({ response_id: id });
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    expect((await stream.finalResponse()).status).toBe('cancelled');
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
  });

  test('one that fails says why', async () => {
    const error = { code: 'engine_failed', details: { reason: 'no luck' } };
    const fixture = await openResponses({ engine: { script: [{ error } as never] } });
    const client = await listen(fixture);
    const { id } = await client.responses.create({ model: 'scripted', input: 'x', background: true });
    await vi.waitFor(async () => expect((await client.responses.retrieve(id)).status).toBe('failed'));
    expect((await client.responses.retrieve(id)).error).toMatchObject({
      code: 'server_error',
      afterimage_code: 'engine_failed',
    });
  });

  test('others can be neither cancelled nor followed', async () => {
    const fixture = await openResponses();
    const { id } = await create(fixture, { input: 'x' });
    expect(await refused(fixture, undefined, `/v1/responses/${id}/cancel`)).toEqual([
      400,
      'invalid_parameter',
      'response_id',
    ]);
    const client = await listen(fixture);
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject({ param: 'stream' });
  });
});
