import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { AfterimageError, failure } from '../../core/errors.ts';
import { type FetchRules, type HostAddress, publicInternet } from './fetchRules.ts';

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Gets a picture somebody named by URL. The host's name is resolved once a hop and the connection goes to the address that was
 * checked, so a name that changes its mind in between gains nothing. Proxies of the environment aren't used.
 *
 * `param` is the field with the URL, for errors. Errors never say what an address or a server behind a redirect is.
 * @throws picture_url_refused, picture_url_failed, image_file_too_large
 */
export async function fetchPicture(
  url: string,
  { param, maxBytes, rules = publicInternet }: { param: string; maxBytes: number; rules?: FetchRules },
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(rules.deadlineMs);
  try {
    let target = parse(url, param);
    for (let hop = 0; hop <= rules.maxRedirects; hop++) {
      const addresses = await allowedAddresses(target, { param, rules, signal });
      const response = await open(target, addresses, signal);
      const { statusCode = 0, headers } = response;
      if (!redirects.has(statusCode) || headers.location === undefined) {
        return await bodyOf(response, { param, maxBytes });
      }
      response.destroy();
      target = parse(headers.location, param, target);
    }
    throw failed(param, `it redirects more than ${rules.maxRedirects} times`);
  } catch (error) {
    if (error instanceof AfterimageError) throw error;
    if (signal.aborted) throw failed(param, `it took longer than ${rules.deadlineMs} ms`, error);
    throw failed(param, reasonOf(error), error);
  }
}

function parse(text: string, param: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (!url) throw refused(param, base ? 'it redirects to no valid URL' : 'it is no valid URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refused(param, `it is a ${url.protocol} URL, http: and https: are taken`);
  }
  if (url.username !== '' || url.password !== '')
    throw refused(param, 'it has a user name or password in it');
  return url;
}

/** The addresses of the host that may be connected to. */
async function allowedAddresses(
  { hostname, protocol, port: given }: URL,
  { param, rules, signal }: { param: string; rules: FetchRules; signal: AbortSignal },
): Promise<readonly HostAddress[]> {
  const port = given === '' ? (protocol === 'https:' ? 443 : 80) : Number(given);
  if (!rules.ports.has(port)) {
    throw refused(param, `its port is ${port}, allowed are ${[...rules.ports].join(' and ')}`);
  }
  // The URL parser has made dotted quads of decimal, octal and hexadecimal hosts.
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(literal);
  const found =
    family > 0 ? [{ address: literal, family }] : await unlessAborted(rules.resolve(hostname), signal);
  const allowed = found.filter(({ address }) => rules.mayConnect(address));
  if (allowed.length === 0) throw refused(param, 'its host is not on the public internet');
  return allowed;
}

/** Name look-ups can't be stopped, only left behind. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function open(url: URL, addresses: readonly HostAddress[], signal: AbortSignal): Promise<IncomingMessage> {
  const pinned: LookupFunction = (_hostname, { all }, done) => {
    if (all) return done(null, [...addresses]);
    const [{ address, family }] = addresses as [HostAddress];
    done(null, address, family);
  };
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    send(url, {
      signal,
      lookup: pinned,
      // A connection of its own: a pooled one, or a proxy's, would not have been checked.
      agent: false,
      headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'afterimage' },
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
}

async function bodyOf(
  response: IncomingMessage,
  { param, maxBytes }: { param: string; maxBytes: number },
): Promise<Uint8Array> {
  const { statusCode, headers } = response;
  const tooLarge = (bytes: number | string) => {
    const details = { bytes, limit: maxBytes, param };
    return failure('image_file_too_large', details);
  };
  try {
    if (statusCode !== 200) throw failed(param, `the server answered ${statusCode}`);
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw failed(param, 'the server sent it compressed, against what it was asked');
    }
    const declared = Number(headers['content-length'] ?? 0);
    if (declared > maxBytes) throw tooLarge(declared);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(`over ${maxBytes}`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    response.destroy();
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its host has no address';
  return code === undefined ? 'the connection failed' : `the connection failed (${code})`;
}

const refused = (param: string, reason: string): AfterimageError =>
  failure('picture_url_refused', { param, reason });

const failed = (param: string, reason: string, cause?: unknown): AfterimageError =>
  failure('picture_url_failed', { param, reason }, { cause });
