import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { chatRoutes } from '../src/gateway/chat/routes.ts';
import { conversationRoutes } from '../src/gateway/conversations/routes.ts';
import { newRoutes } from '../src/gateway/http/newRoutes.ts';
import type { WireInput } from '../src/gateway/items/inputSchema.ts';
import { toInputItems } from '../src/gateway/items/toInputItems.ts';
import { fetchPicture } from '../src/gateway/pictures/fetchPicture.ts';
import { publicInternet } from '../src/gateway/pictures/fetchRules.ts';
import { pictureName } from '../src/gateway/pictures/pictureName.ts';
import { responsesRoutes } from '../src/gateway/responses/routes.ts';
import { routeFixtures } from './helpers/routeFixture.ts';
import { flat } from './pictures.ts';

const open = routeFixtures();
const png = await flat(64, 64, [200, 30, 30]).png().toBuffer();
const otherPng = await flat(64, 64, [30, 200, 30]).png().toBuffer();
const blobId = createHash('sha256').update(png).digest('hex');
const dataUrl = (bytes: Uint8Array, type = 'image/png') =>
  `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
const shows = (...urls: string[]) => [
  {
    type: 'message' as const,
    role: 'user' as const,
    content: urls.map((url) => ({ type: 'input_image' as const, image_url: url })),
  },
];
const errorOf = async (reply: Response) => ({
  status: reply.status,
  ...((await reply.json()) as { error: { code: string; param: string } }).error,
});

describe('pictures in items', () => {
  test('each is counted and stored once, whatever type it claims to be', async () => {
    const { parts, spent } = await open(conversationRoutes);
    const spend = async ({ pictures = 0 }) => {
      spent.pictures += pictures;
    };
    const input: WireInput = [
      ...shows(dataUrl(png), dataUrl(png), dataUrl(png, 'text/html')),
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      {
        type: 'function_call_output',
        call_id: 'c',
        output: [{ type: 'input_image', detail: 'low', image_url: dataUrl(png) }],
      },
    ];
    const puts: string[] = [];
    const { files } = parts.sessions;
    const putPicture = files.putPicture.bind(files);
    files.putPicture = async (tenant, bytes) => {
      const put = await putPicture(tenant, bytes);
      puts.push(put.blobId);
      return put;
    };
    const items = await toInputItems(input, { tenant: 'local', parts, spend });
    const picture = { type: 'input_image', blobId };
    expect(items[0]).toEqual({ type: 'message', role: 'user', content: [picture, picture, picture] });
    expect(items[2]).toMatchObject({ output: [{ ...picture, detail: 'low' }] });
    // Another spelling is another picture until its bytes are known.
    expect([spent.pictures, puts]).toEqual([2, [blobId, blobId]]);
  });

  test('nothing is stored when the limit says no', async () => {
    const { parts } = await open(conversationRoutes);
    const over = new Error('over the limit');
    const put = (bytes: Uint8Array) => parts.sessions.files.putPicture('local', bytes);
    const input = shows(dataUrl(png));
    const spend = async () => Promise.reject(over);
    await expect(toInputItems(input, { tenant: 'local', parts, spend })).rejects.toBe(over);
    expect((await put(png)).known).toBe(false);
  });

  test('what is wrong with one is said by the name of its field', async () => {
    const { request, parts, spent } = await open(conversationRoutes, { config: { maxFileBytes: 100_000 } });
    const create = async (...urls: string[]) =>
      errorOf(await request('POST', '/v1/conversations', { items: shows(...urls) }));
    const at = (part: number) => `items[0].content[${part}].image_url`;
    const good = dataUrl(png);
    expect(await create(good, 'data:image/png;base64,AA!A')).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: at(1),
    });
    expect(await create('data:;base64,')).toMatchObject({ code: 'image_empty', param: at(0) });
    expect(await create(dataUrl(Buffer.alloc(100_001)))).toMatchObject({
      code: 'image_file_too_large',
      param: at(0),
    });
    expect(await create('https://pictures.example/a.png')).toMatchObject({
      code: 'picture_url_disabled',
      param: at(0),
    });
    expect(await create('ftp://pictures.example/a.png')).toMatchObject({
      code: 'invalid_parameter',
      param: at(0),
    });
    expect(await create('cat.png')).toMatchObject({ code: 'invalid_parameter', param: at(0) });
    expect(await create(dataUrl(Buffer.from('<svg></svg>')))).toMatchObject({
      status: 400,
      code: 'image_format_unsupported',
    });
    expect(parts.config.pictureUrls).toBe(false);
    expect(spent.pictures).toBeGreaterThan(0);
  });

  test('too many of them are refused before one is stored', async () => {
    const { request, spent } = await open(conversationRoutes, { config: { pictureUrls: true } });
    const urls = Array.from({ length: 17 }, (_, index) => `http://127.0.0.1/${index}.png`);
    expect(
      await errorOf(await request('POST', '/v1/conversations', { items: shows(...urls) })),
    ).toMatchObject({
      code: 'invalid_parameter',
      param: 'items[0].content[16].image_url',
    });
    const many = Array.from({ length: 257 }, (_, index) => dataUrl(Buffer.from(`${index}`)));
    expect(
      await errorOf(await request('POST', '/v1/conversations', { items: shows(...many) })),
    ).toMatchObject({
      code: 'invalid_parameter',
      param: 'items[0].content[256].image_url',
    });
    expect(spent.pictures).toBe(0);
  });
});

describe('pictures by URL', () => {
  test.each(['http://127.0.0.1/a.png', 'http://2130706433/', 'http://[::1]/', 'http://169.254.169.254/'])(
    '%s is refused even when URLs are fetched',
    async (url) => {
      const { request } = await open(conversationRoutes, { config: { pictureUrls: true } });
      const reply = await request('POST', '/v1/conversations', { items: shows(url) });
      expect(await errorOf(reply)).toMatchObject({
        status: 400,
        code: 'picture_url_refused',
        param: 'items[0].content[0].image_url',
      });
    },
  );

  test('one that is public is fetched once and stored like any other', async () => {
    const { parts } = await open(conversationRoutes, { config: { pictureUrls: true } });
    let hits = 0;
    const server = createServer((_, response) => {
      hits += 1;
      response.end(png);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const rules = {
      ...publicInternet,
      mayConnect: () => true,
      ports: new Set([port]),
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    };
    const url = `http://pictures.example:${port}/a.png`;
    const fetch: typeof fetchPicture = (named, options) => fetchPicture(named, { ...options, rules });
    try {
      const items = await toInputItems(shows(url, url), {
        tenant: 'local',
        parts,
        spend: async () => {},
        fetch,
      });
      const picture = { type: 'input_image', blobId };
      expect(items).toEqual([{ type: 'message', role: 'user', content: [picture, picture] }]);
      expect(hits).toBe(1);
    } finally {
      server.close();
    }
  });
});

describe('pictures by name', () => {
  test('an item can be sent back as it was given, to the tenant that has its picture only', async () => {
    const { request, spent } = await open(conversationRoutes);
    const include = 'include[]=message.input_image.image_url';
    const made = (await (
      await request('POST', '/v1/conversations', { items: shows(dataUrl(png)) })
    ).json()) as { id: string };
    const path = `/v1/conversations/${made.id}/items?${include}`;
    const list = (await (await request('GET', path)).json()) as {
      data: [{ content: [{ image_url: string }] }];
    };
    expect(list.data[0].content[0].image_url).toBe(pictureName(blobId));
    const again = await request('POST', '/v1/conversations', { items: list.data });
    expect(again.status).toBe(200);
    expect(spent.pictures).toBe(1);

    const foreign = await errorOf(
      await request('POST', '/v1/conversations', { items: list.data }, { tenant: 'other' }),
    );
    const otherName = pictureName(createHash('sha256').update(otherPng).digest('hex'));
    const unknown = await errorOf(
      await request('POST', '/v1/conversations', { items: shows(otherName) }, { tenant: 'other' }),
    );
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect(foreign.code).toBe(unknown.code);
  });
});

test.each([
  ['/v1/responses', 'input', 'image_url'],
  ['/v1/chat/completions', 'messages', 'image_url.url'],
])('what is no picture is said of the field that brought it, on %s', async (path, field, source) => {
  const { request } = await open((parts) =>
    newRoutes().route('/', responsesRoutes(parts)).route('/', chatRoutes(parts)),
  );
  const url = dataUrl(Buffer.from('no picture at all'));
  const part =
    field === 'input' ? { type: 'input_image', image_url: url } : { type: 'image_url', image_url: { url } };
  const text = { type: field === 'input' ? 'input_text' : 'text', text: 'What is it?' };
  const reply = await request('POST', path, { [field]: [{ role: 'user', content: [text, part] }] });
  expect(await errorOf(reply)).toMatchObject({
    status: 400,
    code: 'image_format_unknown',
    param: `${field}[0].content[1].${source}`,
  });
});

test.each([
  [
    '/v1/responses',
    { input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: '[1' }] },
    'input[0].arguments',
  ],
  [
    '/v1/chat/completions',
    {
      messages: [
        {
          role: 'assistant',
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '' } }],
        },
      ],
    },
    'messages[0].tool_calls[0].function.arguments',
  ],
])('arguments that are no JSON object are refused on %s', async (path, body, param) => {
  const { request } = await open((parts) =>
    newRoutes().route('/', responsesRoutes(parts)).route('/', chatRoutes(parts)),
  );
  const reply = await request('POST', path, body);
  expect(await errorOf(reply)).toMatchObject({ status: 400, code: 'invalid_parameter', param });
});
