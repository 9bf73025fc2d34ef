import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';

export interface DroppingProxy extends AsyncDisposable {
  readonly url: string;
  /** How many replies never reached their client. */
  readonly dropped: number;
  /** The first reply to the request with this `input`, which nobody got to see. */
  droppedFor(input: string): string | undefined;
}

/**
 * Stands before a server and loses replies: those to first attempts, and some to second ones, are read to their end, and then
 * the client's connection is destroyed before it got a byte. By the end of its reply a turn is committed.
 */
export async function droppingProxy(target: string): Promise<DroppingProxy> {
  const agent = new Agent({ keepAlive: true });
  const replies = new Map<string, string>();
  let dropped = 0;
  const server = createServer(async (incoming, outgoing) => {
    const body = await buffer(incoming);
    const forwarded = request(`${target}${incoming.url}`, {
      agent,
      method: incoming.method,
      headers: incoming.headers,
    });
    forwarded.end(body);
    const [reply] = (await once(forwarded, 'response')) as [IncomingMessage];
    const retryCount = Number(incoming.headers['x-stainless-retry-count']);
    const isLost = retryCount === 0 || (retryCount === 1 && Math.random() < 0.1);
    if (!isLost) {
      outgoing.writeHead(reply.statusCode ?? 500, reply.headers);
      reply.pipe(outgoing);
      return;
    }
    const { input } = JSON.parse(body.toString());
    const told = await text(reply);
    if (!replies.has(input)) replies.set(input, told);
    dropped++;
    incoming.socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get dropped() {
      return dropped;
    },
    droppedFor: (input) => replies.get(input),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
