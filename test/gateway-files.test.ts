import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import fc from 'fast-check';
import OpenAI, { toFile } from 'openai';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { errorTable } from '../src/core/errors.ts';
import { fileRoutes } from '../src/gateway/files/routes.ts';
import { type RouteFixture, routeFixtures } from './helpers/routeFixture.ts';
import { flat, pngDeclaring } from './pictures.ts';

type Options = Parameters<ReturnType<typeof routeFixtures>>[1];

const open = routeFixtures();
const openFiles = (options?: Options): Promise<RouteFixture> => open(fileRoutes, options);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listen(fixture: RouteFixture): Promise<OpenAI> {
  const server = createAdaptorServer({ fetch: fixture.fetch });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return new OpenAI({ apiKey: 'none', baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
}

let png: Buffer;
beforeAll(async () => {
  png = await flat(64, 48, [10, 200, 90]).png().toBuffer();
});

/** A form of these fields; `file` is the picture unless another one is given, null leaves it out. */
function form(fields: Record<string, string | File | null> = {}): FormData {
  const made = new FormData();
  const all = { file: new File([new Uint8Array(png)], 'green.png'), purpose: 'vision', ...fields };
  for (const [name, value] of Object.entries(all)) {
    if (value !== null) made.append(name, value);
  }
  return made;
}

async function refused(fixture: RouteFixture, method: string, path: string, body?: unknown, options = {}) {
  const reply = await fixture.request(method, path, body, options);
  const { error } = (await reply.json()) as {
    error: { code: string; param: string | null; message: string };
  };
  return [reply.status, error.code, error.param, error.message];
}

async function upload(fixture: RouteFixture, fields = {}, tenant = 'local') {
  const reply = await fixture.request('POST', '/v1/files', form(fields), { tenant });
  const text = await reply.text();
  expect(reply.status, text).toBe(200);
  return JSON.parse(text);
}

describe("with OpenAI's client", () => {
  test('a file goes up, is listed, comes back to the byte, and is gone when it is deleted', async () => {
    const fixture = await openFiles();
    const client = await listen(fixture);
    const before = Math.floor(Date.now() / 1_000);
    const file = await client.files.create({
      file: await toFile(png, 'grün.png'),
      purpose: 'vision',
      expires_after: { anchor: 'created_at', seconds: 3_600 },
    });
    const sha256 = createHash('sha256').update(png).digest('hex');
    expect(file).toMatchObject({
      id: expect.stringMatching(/^file-[0-9A-Za-z]{22}$/),
      object: 'file',
      bytes: png.length,
      filename: 'grün.png',
      purpose: 'vision',
      status: 'processed',
      expires_at: file.created_at + 3_600,
      afterimage: { known: false, sha256 },
    });
    expect(file.created_at).toBeGreaterThanOrEqual(before);
    expect(fixture.spent).toEqual({ tokens: 0, pictures: 1 });

    expect(await client.files.retrieve(file.id)).toEqual({ ...file, afterimage: { sha256 } });
    const content = await client.files.content(file.id);
    expect(Buffer.from(await content.arrayBuffer())).toEqual(png);
    expect(Object.fromEntries(content.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': String(png.length),
      'content-disposition': `attachment; filename="gr_n.png"; filename*=UTF-8''gr%C3%BCn.png`,
      'x-content-type-options': 'nosniff',
    });

    const again = await client.files.create({ file: await toFile(png, 'other.png'), purpose: 'user_data' });
    expect(again).toMatchObject({ afterimage: { known: true, sha256 } });
    expect(again.id).not.toBe(file.id);

    expect(await client.files.delete(file.id)).toEqual({
      id: file.id,
      object: 'file',
      deleted: true,
      removed: { bytes_freed: 0 },
    });
    await expect(client.files.retrieve(file.id)).rejects.toThrow(OpenAI.NotFoundError);
    expect(await client.files.delete(again.id)).toMatchObject({ removed: { bytes_freed: png.length } });
  });

  test('lists are paged in both orders and by purpose', async () => {
    const fixture = await openFiles();
    const client = await listen(fixture);
    const ids: string[] = [];
    for (let number = 0; number < 21; number += 1) {
      const file = await toFile(Buffer.from(`text ${number}`), `${number}.txt`);
      const { id } = await client.files.create({ file, purpose: number % 2 ? 'assistants' : 'user_data' });
      ids.push(id);
    }
    const listed = async (query: OpenAI.FileListParams) => {
      const found: string[] = [];
      for await (const { id } of client.files.list(query)) found.push(id);
      return found;
    };
    expect(await listed({ order: 'asc', limit: 3 })).toEqual(ids);
    expect(await listed({ limit: 2 })).toEqual(ids.toReversed());
    expect(await listed({ order: 'asc', purpose: 'assistants' })).toEqual(
      ids.filter((_, number) => number % 2 === 1),
    );
    // As at OpenAI one page holds up to 10,000, and that many unless fewer are asked for.
    for (const query of [{}, { limit: 10_000 }]) {
      const whole = await client.files.list(query);
      expect(whole.data.map(({ id }) => id)).toEqual(ids.toReversed());
      expect(whole.has_more).toBe(false);
    }
    const page = await client.files.list({ order: 'asc', limit: 3, after: ids[1] as string });
    expect(page.data.map(({ id }) => id)).toEqual(ids.slice(2, 5));
    expect(page.has_more).toBe(true);
  });
});

describe('what is refused', () => {
  const text = (content: string, name = 'a.txt') => new File([content], name);

  test.each<[string, Record<string, string | File | null>, unknown[]]>([
    ['no file', { file: null }, [400, 'missing_parameter', 'file']],
    ['text for a file', { file: 'bytes' }, [400, 'invalid_parameter', 'file']],
    ['no purpose', { purpose: null }, [400, 'missing_parameter', 'purpose']],
    ['another purpose', { purpose: 'fine-tune' }, [400, 'unsupported_parameter', 'purpose']],
    ['a file for a purpose', { purpose: text('vision') }, [400, 'invalid_parameter', 'purpose']],
    ['an unknown field', { colour: 'red' }, [400, 'unknown_parameter', 'colour']],
    ['an empty picture', { file: text('') }, [400, 'image_empty', 'file']],
    ['an empty file', { file: text(''), purpose: 'user_data' }, [400, 'invalid_parameter', 'file']],
    ['no picture', { file: text('hello there, no picture') }, [400, 'image_format_unknown', 'file']],
    [
      'a long name',
      { file: text('x', 'é'.repeat(128)), purpose: 'user_data' },
      [400, 'invalid_parameter', 'file'],
    ],
    [
      'a life without anchor',
      { 'expires_after[seconds]': '3600' },
      [400, 'missing_parameter', 'expires_after[anchor]'],
    ],
    [
      'an anchor without life',
      { 'expires_after[anchor]': 'created_at' },
      [400, 'missing_parameter', 'expires_after[seconds]'],
    ],
    [
      'another anchor',
      { 'expires_after[anchor]': 'now', 'expires_after[seconds]': '3600' },
      [400, 'invalid_parameter', 'expires_after[anchor]'],
    ],
    ...['3599', '2592001', '1e4', '-3600', ''].map((seconds): [string, Record<string, string>, unknown[]] => [
      `a life of '${seconds}'`,
      { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': seconds },
      [400, 'invalid_parameter', 'expires_after[seconds]'],
    ]),
  ])('%s', async (_, fields, expected) => {
    const fixture = await openFiles();
    const problem = await refused(fixture, 'POST', '/v1/files', form(fields));
    expect(problem.slice(0, 3), String(problem[3])).toEqual(expected);
    const listed = await fixture.request('GET', '/v1/files');
    expect(await listed.json()).toMatchObject({ data: [], has_more: false });
    expect(fixture.problems).toEqual([]);
  });

  test('two files, and a field given twice', async () => {
    const fixture = await openFiles();
    const twoFiles = form();
    twoFiles.append('file', text('b'));
    expect(await refused(fixture, 'POST', '/v1/files', twoFiles)).toEqual([
      400,
      'invalid_parameter',
      'file',
      'file: must be one file, got 2.',
    ]);
    const twoPurposes = form();
    twoPurposes.append('purpose', 'user_data');
    expect((await refused(fixture, 'POST', '/v1/files', twoPurposes)).slice(0, 3)).toEqual([
      400,
      'invalid_parameter',
      'purpose',
    ]);
  });

  test('a picture that breaks a limit, with the limit and the value', async () => {
    const fixture = await openFiles();
    const file = new File([new Uint8Array(pngDeclaring(9_000, 100))], 'wide.png');
    expect(await refused(fixture, 'POST', '/v1/files', form({ file }))).toEqual([
      400,
      'image_too_large',
      'file',
      expect.stringContaining('9000x100 px, each side may have at most 8192 px'),
    ]);
  });

  test('a file over the limit, a body over the limit however long it says it is', async () => {
    const maxFileBytes = 1_000;
    const fixture = await openFiles({ config: { maxFileBytes } });
    const file = new File([new Uint8Array(maxFileBytes + 1)], 'a.bin');
    const tooLarge = [413, 'body_too_large', null, 'The body has 1001 bytes, the limit is 1000.'];
    expect(await refused(fixture, 'POST', '/v1/files', form({ file, purpose: 'user_data' }))).toEqual(
      tooLarge,
    );
    const fits = new File([new Uint8Array(maxFileBytes)], 'a.bin');
    await upload(fixture, { file: fits, purpose: 'user_data' });

    const client = await listen(fixture);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 16_384;
        if (sent > 2 ** 26) controller.close();
        else controller.enqueue(new Uint8Array(16_384));
      },
    });
    const reply = await fetch(`${client.baseURL}/files`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: endless,
      duplex: 'half',
    } as RequestInit).catch((error: unknown) => error);
    // The server closes the connection, and a client that is still sending may see only that.
    if (reply instanceof Response) expect(reply.status).toBe(413);
    else expect(reply).toBeInstanceOf(TypeError);
    expect(sent).toBeLessThan(2 ** 25);
  });

  test('bodies of other types', async () => {
    const fixture = await openFiles();
    for (const headers of [{ 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
      expect((await refused(fixture, 'POST', '/v1/files', '{}', { headers })).slice(0, 2)).toEqual([
        415,
        'media_type_unsupported',
      ]);
    }
  });

  test('an unknown or foreign id, with the same words', async () => {
    const fixture = await openFiles();
    const { id } = await upload(fixture, {}, 'acme');
    const never = `file-${'0'.repeat(22)}`;
    for (const [method, suffix] of [
      ['GET', ''],
      ['GET', '/content'],
      ['DELETE', ''],
    ] as const) {
      const foreign = await fixture.request(method, `/v1/files/${id}${suffix}`);
      const unknown = await fixture.request(method, `/v1/files/${never}${suffix}`);
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      expect((await foreign.text()).replace(id, never)).toBe(await unknown.text());
    }
    expect((await fixture.request('GET', `/v1/files/${id}`, undefined, { tenant: 'acme' })).status).toBe(200);
    expect((await refused(fixture, 'GET', `/v1/files?after=${id}`)).slice(0, 4)).toEqual([
      404,
      'not_found',
      'after',
      `There is no file ${id}.`,
    ]);
  });

  test.each([
    ['limit=0', 'invalid_parameter', 'limit'],
    ['limit=10001', 'invalid_parameter', 'limit'],
    ['order=up', 'invalid_parameter', 'order'],
    ['purpose=batch', 'unsupported_parameter', 'purpose'],
    ['colour=red', 'unknown_parameter', 'colour'],
  ])('a list with %s', async (query, code, param) => {
    const fixture = await openFiles();
    expect((await refused(fixture, 'GET', `/v1/files?${query}`)).slice(0, 3)).toEqual([400, code, param]);
  });
});

test('another tenant with the same bytes is not told that they are known', async () => {
  const fixture = await openFiles();
  expect(await upload(fixture, {}, 'acme')).toMatchObject({ afterimage: { known: false } });
  expect(await upload(fixture, {}, 'globex')).toMatchObject({ afterimage: { known: false } });
});

test('no damage to a form makes it more than a refusal', async () => {
  const fixture = await openFiles();
  const boundary = 'afterimage';
  const good = [
    `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n`,
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n`,
    `--${boundary}--\r\n`,
  ].join('');
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  expect((await fixture.request('POST', '/v1/files', good, { headers })).status).toBe(200);
  const cut = fc.tuple(fc.nat(good.length), fc.nat(good.length), fc.string({ unit: 'binary', maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), async (cuts) => {
      const body = cuts.reduce((text, [from, to, put]) => {
        const [start, end] = from < to ? [from, to] : [to, from];
        return text.slice(0, start) + put + text.slice(end);
      }, good);
      const reply = await fixture.request('POST', '/v1/files', body, { headers });
      if (reply.status === 200) return;
      expect(reply.status).toBeLessThan(500);
      const { error } = (await reply.json()) as { error: { code: string } };
      expect(Object.keys(errorTable)).toContain(error.code);
    }),
    { numRuns: 300 },
  );
  expect(fixture.problems).toEqual([]);
});
