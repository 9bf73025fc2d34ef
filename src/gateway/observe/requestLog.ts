import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { callersRequestId, newRequestId } from '../http/requestId.ts';
import type { RouteTable } from '../http/routeTable.ts';
import type { GatewayEnv, Principal } from '../parts.ts';
import type { GatewayMetrics } from './metrics.ts';

/** Methods that are counted by name; the others could be anything. */
const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
]);

/**
 * Gives each request its id, and each ended one a log line and its place in the metrics. A line says who asked for which route and
 * what it took; never a path with ids in it, a body, a key or an address.
 */
export function requestLog(
  table: RouteTable,
  logger: Logger,
  metrics: GatewayMetrics,
): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const startedMs = performance.now();
    const requestId = newRequestId();
    c.set('requestId', requestId);
    const method = knownMethods.has(c.req.method) ? c.req.method : 'other';
    const route = table.find(c.req.method, c.req.path)?.path ?? 'unmatched';
    const clientRequestId = callersRequestId(c.req.header('x-request-id'));
    await next();
    c.res.headers.set('x-request-id', requestId);
    // Hono answers HEAD with GET's reply and drops its body, which would go on being made.
    if (c.req.method === 'HEAD') await c.res.body?.cancel();
    const { status } = c.res;
    const principal = c.get('principal') as Principal | undefined;
    whenSent(c, ({ bytes, isWhole }) => {
      const ms = performance.now() - startedMs;
      metrics.requestEnded({ method, route, status, seconds: ms / 1_000 });
      logger.info(
        {
          requestId,
          ...(clientRequestId !== undefined && { clientRequestId }),
          traceId: c.var.traceparent?.split('-')[1],
          method,
          route,
          status,
          ms: Math.round(ms * 10) / 10,
          ...(bytes !== undefined && { bytes }),
          ...(!isWhole && { cutOff: true }),
          ...(principal && { tenant: principal.tenant, keyId: principal.keyId }),
        },
        'request',
      );
    });
  };
}

/** Streams end long after their handler. Bytes are those of the connection, headers included; unknown without one. */
function whenSent(
  c: Context<GatewayEnv>,
  done: (sent: { bytes: number | undefined; isWhole: boolean }) => void,
): void {
  const { incoming, outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  if (!incoming || !outgoing) {
    done({ bytes: undefined, isWhole: true });
    return;
  }
  const { socket } = incoming;
  const before = socket.bytesWritten;
  const end = () => done({ bytes: socket.bytesWritten - before, isWhole: outgoing.writableFinished });
  if (outgoing.closed) end();
  else outgoing.once('close', end);
}
