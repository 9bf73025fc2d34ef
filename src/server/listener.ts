import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { failure } from '../core/errors.ts';
import { answerClientErrors } from '../gateway/http/clientErrors.ts';

export interface Listener {
  /** `http://127.0.0.1:8080`, with the port that was taken. */
  readonly url: string;
  /** Takes no more connections, lets replies under way end within `budgetMs`, then cuts them. */
  close(budgetMs: number): Promise<void>;
}

/** Common proxies send at most this much. */
const maxHeaderBytes = 16 * 1024;
/** For the headers, and for headers and body together: an honest upload of a few pictures takes seconds. */
const headersTimeoutMs = 15_000;
const requestTimeoutMs = 120_000;
/** Longer than proxies keep theirs (60 s is common), so that they never send into a connection just closed. */
const keepAliveTimeoutMs = 65_000;
/** Of connections not yet accepted: past Node's 511, a burst of clients waits for the system's retries, seconds apart. */
const backlog = 4096;

/**
 * Listens from the moment this resolves.
 * @throws listen_failed
 */
export async function listen(
  fetch: (request: Request, env: unknown) => Response | Promise<Response>,
  { host, port }: { host: string; port: number },
): Promise<Listener> {
  const server = createAdaptorServer({
    fetch,
    serverOptions: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 5_000,
    },
  }) as Server;
  answerClientErrors(server, maxHeaderBytes);
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen({ host, port, exclusive: true, backlog }, listening.resolve);
  try {
    await listening.promise;
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const reason = reasons[code] ?? `the system says ${code}`;
    throw failure('listen_failed', { address: hostAndPort(host, port), reason }, { cause: error });
  }
  server.removeListener('error', listening.reject);
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${hostAndPort(host, taken)}`,
    close: (budgetMs) => close(server, budgetMs),
  };
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses this port',
  EACCES: 'this user may not use this port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'there is no such host',
};

const hostAndPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

async function close(server: Server, budgetMs: number): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  const deadline = performance.now() + budgetMs;
  let isClosed = false;
  void closed.promise.then(() => {
    isClosed = true;
  });
  // A connection whose last reply has just ended is idle, and would be kept for the next request.
  while (!isClosed && performance.now() < deadline) {
    server.closeIdleConnections();
    await Promise.race([closed.promise, sleep(20)]);
  }
  server.closeAllConnections();
  await closed.promise;
}
