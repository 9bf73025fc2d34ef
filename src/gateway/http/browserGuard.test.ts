import pino from 'pino';
import { expect, test } from 'vitest';
import { defaultGatewayConfig } from '../config.ts';
import { browserGuard, isLoopbackName } from './browserGuard.ts';
import { handleError } from './handleError.ts';
import { newRoutes } from './newRoutes.ts';

function appWith(config: Partial<typeof defaultGatewayConfig>) {
  const app = newRoutes();
  app.use(browserGuard({ ...defaultGatewayConfig, ...config }));
  app.onError(handleError(pino({ level: 'silent' })));
  app.all('/x', (c) => c.text('in'));
  return app;
}

const open = appWith({ keyRequired: false, allowedHosts: ['Pictures.example'] });

async function code(app: typeof open, headers: Record<string, string>, method = 'POST'): Promise<string> {
  const reply = await app.request('/x', { method, headers });
  const text = await reply.text();
  return reply.status === 200 ? text : `${reply.status} ${JSON.parse(text).error.code}`;
}

test.each([
  [{ host: 'localhost:8080' }, 'in'],
  [{ host: '127.0.0.1:8080' }, 'in'],
  [{ host: '127.1.2.3' }, 'in'],
  [{ host: '[::1]:8080' }, 'in'],
  [{ host: 'app.LOCALHOST:1' }, 'in'],
  [{ host: 'pictures.example:443' }, 'in'],
  [{}, 'in'],
  [{ host: 'evil.example' }, '403 host_refused'],
  [{ host: 'localhost.evil.example:8080' }, '403 host_refused'],
  [{ host: '127.0.0.1.evil.example' }, '403 host_refused'],
  [{ host: '10.0.0.1:8080' }, '403 host_refused'],
  [{ host: '[::2]:8080' }, '403 host_refused'],
  [{ host: 'localhost:8080', origin: 'http://localhost:8080' }, 'in'],
  [{ host: 'localhost', origin: 'http://localhost' }, 'in'],
  [{ host: 'localhost:8080', origin: 'http://localhost:3000' }, '403 origin_refused'],
  [{ host: 'localhost:8080', origin: 'https://evil.example' }, '403 origin_refused'],
  [{ host: 'localhost:8080', origin: 'null' }, '403 origin_refused'],
  [{ host: 'localhost:8080', origin: 'nonsense' }, '403 origin_refused'],
  [{ host: 'localhost:8080', 'sec-fetch-site': 'cross-site' }, '403 origin_refused'],
  [{ host: 'localhost:8080', 'sec-fetch-site': 'same-site' }, '403 origin_refused'],
  [{ host: 'localhost:8080', 'sec-fetch-site': 'same-origin' }, 'in'],
  [{ host: 'localhost:8080', 'sec-fetch-site': 'none' }, 'in'],
])('without required keys %j: %s', async (headers, expected) => {
  expect(await code(open, headers)).toBe(expected);
});

test('a link from another site may lead here, its forms and pictures may not', async () => {
  const link = { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  expect(await code(open, link, 'GET')).toBe('in');
  expect(await code(open, link, 'POST')).toBe('403 origin_refused');
  expect(await code(open, { ...link, 'sec-fetch-mode': 'no-cors' }, 'GET')).toBe('403 origin_refused');
});

test('where keys are required any name and origin will do: a page has no key to send', async () => {
  expect(await code(appWith({}), { host: 'pictures.example', origin: 'https://other.example' })).toBe('in');
});

test('spellings of other addresses are no loopback names', () => {
  expect(['localhost', '127.255.0.1', '::1', '0:0:0:0:0:0:0:1'].filter(isLoopbackName)).toHaveLength(4);
  expect(
    ['0.0.0.0', '::', 'localhos', '127.1', '2130706433', '::ffff:10.0.0.1'].filter(isLoopbackName),
  ).toEqual([]);
});
