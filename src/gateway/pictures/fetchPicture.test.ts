import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { fetchPicture } from './fetchPicture.ts';
import { type FetchRules, publicInternet } from './fetchRules.ts';

const servers: Server[] = [];
afterEach(closeServers);

async function closeServers(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/** Serves on loopback; `rules` allow exactly that address and port, names resolve to it. */
async function serve(listener: RequestListener, host = '127.0.0.1') {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(`${request.headers.host}${request.url}`);
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, host, done));
  const { port } = server.address() as AddressInfo;
  const rules: FetchRules = {
    ...publicInternet,
    mayConnect: (address) => address === host,
    ports: new Set([80, 443, port]),
    resolve: async () => [{ address: host, family: 4 }],
    deadlineMs: 2_000,
  };
  return { port, hits, rules };
}

const get = (url: string, rules: FetchRules = publicInternet, maxBytes = 1_000) =>
  fetchPicture(url, { param: 'input[0].content[0].image_url', maxBytes, rules });

describe('fetches', () => {
  test('a body from the address that was checked, under the host it was asked for', async () => {
    const { port, hits, rules } = await serve((_, response) => response.end('bytes'));
    expect(Buffer.from(await get(`http://pictures.example:${port}/a.png`, rules)).toString()).toBe('bytes');
    expect(hits).toEqual([`pictures.example:${port}/a.png`]);
  });

  test('through three redirects of any kind, and no more', async () => {
    const { port, hits, rules } = await serve(({ url }, response) => {
      const step = Number(url?.slice(1));
      if (step >= 3) response.end('there');
      else response.writeHead([301, 302, 307][step] as number, { location: `/${step + 1}` }).end();
    });
    expect(Buffer.from(await get(`http://h.example:${port}/0`, rules)).toString()).toBe('there');
    expect(hits).toHaveLength(4);
    const failure = get(`http://h.example:${port}/0`, { ...rules, maxRedirects: 2 });
    await expect(failure).rejects.toMatchObject({
      code: 'picture_url_failed',
      message: expect.stringContaining('more than 2 times'),
    });
  });
});

describe('refuses before connecting', () => {
  test.each([
    ['loopback', 'http://127.0.0.1/'],
    ['a name of loopback', 'http://localhost/'],
    ['a decimal address', 'http://2130706433/'],
    ['an octal address', 'http://0177.0.0.1/'],
    ['a hexadecimal address', 'http://0x7f.1/'],
    ['a short address', 'http://127.1/'],
    ['full-width digits', 'http://１２７.0.0.1/'],
    ['IPv6 loopback', 'http://[::1]/'],
    ['IPv4-mapped', 'http://[::ffff:127.0.0.1]/'],
    ['metadata', 'http://169.254.169.254/latest/meta-data'],
    ['metadata in decimal', 'http://2852039166/'],
    ['NAT64', 'https://[64:ff9b::a9fe:a9fe]/'],
    ['nowhere', 'http://0/'],
  ])('%s: %s', async (_, url) => {
    await expect(get(url)).rejects.toMatchObject({
      code: 'picture_url_refused',
      message: expect.stringContaining('not on the public internet'),
    });
  });

  test.each([
    ['http://user@8.8.8.8/', 'user name'],
    ['http://:secret@8.8.8.8/', 'user name'],
    ['http://8.8.8.8:22/', 'port is 22'],
    ['https://8.8.8.8:8443/', 'port is 8443'],
    ['ftp://8.8.8.8/', 'ftp: URL'],
    ['file:///etc/passwd', 'file: URL'],
    ['http://', 'no valid URL'],
    ['http://256.256.256.256/', 'no valid URL'],
  ])('%s: %s', async (url, reason) => {
    await expect(get(url)).rejects.toMatchObject({
      code: 'picture_url_refused',
      message: expect.stringContaining(reason),
      details: { param: 'input[0].content[0].image_url' },
    });
  });

  test('a name with addresses of both kinds is reached at the open one only', async () => {
    const { port, hits, rules } = await serve((_, response) => response.end('open'));
    const both = async () => [
      { address: '10.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    await get(`http://h.example:${port}/`, { ...rules, resolve: both });
    expect(hits).toHaveLength(1);
  });
});

describe('redirects are checked like the first hop', () => {
  test.each([
    'http://127.0.0.2/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://2130706434/',
    'http://0177.0.0.2/',
    '//10.0.0.1/',
    'http://127.0.0.1:22/',
    'http://user:secret@h.example/',
    'gopher://h.example/',
    'http://',
  ])('to %s', async (location) => {
    const { port, hits, rules } = await serve((_, response) => response.writeHead(302, { location }).end());
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'picture_url_refused',
    });
    expect(hits).toHaveLength(1);
  });

  test('a name that changes its mind is asked once a hop, and what it said is what is connected to', async () => {
    const { port, hits, rules } = await serve((_, response) => response.end('first'));
    const answers = ['127.0.0.1', '127.0.0.2'];
    const resolve = async () => [{ address: answers.shift() as string, family: 4 }];
    const got = await get(`http://rebind.example:${port}/`, { ...rules, resolve });
    expect([Buffer.from(got).toString(), answers, hits.length]).toEqual(['first', ['127.0.0.2'], 1]);
  });

  test('and refused when it changes its mind between hops', async () => {
    const { port, hits, rules } = await serve((_, response) =>
      response.writeHead(302, { location: '/again' }).end(),
    );
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolve = async () => [{ address: answers.shift() as string, family: 4 }];
    await expect(get(`http://rebind.example:${port}/`, { ...rules, resolve })).rejects.toMatchObject({
      code: 'picture_url_refused',
    });
    expect(hits).toHaveLength(1);
  });
});

describe('gives up', () => {
  const slow = { deadlineMs: 200 };

  test('on a declared size over the limit', async () => {
    const { port, rules } = await serve((_, response) =>
      response.writeHead(200, { 'content-length': 1_001 }).end(Buffer.alloc(1_001)),
    );
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'image_file_too_large',
      details: { bytes: 1_001, limit: 1_000 },
    });
  });

  test('on an endless body, as soon as it is over the limit', async () => {
    let sent = 0;
    const { port, rules } = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(500))) sent += 500;
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'image_file_too_large',
    });
    expect(sent).toBeLessThan(20_000_000);
  });

  test('on a body that drips', async () => {
    const { port, rules } = await serve((_, response) => void response.write('x'));
    await expect(get(`http://h.example:${port}/`, { ...rules, ...slow })).rejects.toMatchObject({
      code: 'picture_url_failed',
      message: expect.stringContaining('longer than 200 ms'),
    });
  });

  test('on a server that never answers, and on a name that never resolves', async () => {
    const { port, rules } = await serve(() => {});
    const late = { code: 'picture_url_failed', message: expect.stringContaining('longer than 200 ms') };
    await expect(get(`http://h.example:${port}/`, { ...rules, ...slow })).rejects.toMatchObject(late);
    const resolve = () => new Promise<never>(() => {});
    await expect(get('http://h.example/', { ...rules, ...slow, resolve })).rejects.toMatchObject(late);
  });

  test.each([
    ['another status', 404, {}, 'answered 404'],
    ['a redirect to nowhere', 302, {}, 'answered 302'],
    ['a compressed body', 200, { 'content-encoding': 'gzip' }, 'compressed'],
  ])('on %s', async (_, status, headers, reason) => {
    const { port, rules } = await serve((_request, response) => response.writeHead(status, headers).end('x'));
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'picture_url_failed',
      message: expect.stringContaining(reason),
    });
  });

  test('on a body cut short, a dead port and a name of nobody', async () => {
    const { port, rules } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('half', () => response.destroy());
    });
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'picture_url_failed',
    });
    await closeServers();
    await expect(get(`http://h.example:${port}/`, rules)).rejects.toMatchObject({
      code: 'picture_url_failed',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    const resolve = async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    await expect(get('http://h.example/', { ...rules, resolve })).rejects.toMatchObject({
      code: 'picture_url_failed',
      message: expect.stringContaining('no address'),
    });
  });
});
