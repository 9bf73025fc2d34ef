import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import pino from 'pino';
import { afterEach } from 'vitest';
import { createGateway, type Gateway } from '../../src/gateway/app.ts';
import type { GatewayConfig } from '../../src/gateway/config.ts';
import { answerClientErrors } from '../../src/gateway/http/clientErrors.ts';
import { newRoutes } from '../../src/gateway/http/newRoutes.ts';
import { GatewayMetrics } from '../../src/gateway/observe/metrics.ts';
import type { GatewayParts, Principal } from '../../src/gateway/parts.ts';
import type { ScriptedEngineOptions } from '../../src/inference/scriptedEngine.ts';
import { openRoutes, type RouteFixture } from './routeFixture.ts';

export interface GatewayFixture extends Gateway {
  readonly below: RouteFixture;
  readonly metrics: GatewayMetrics;
  /** What was logged, parsed. */
  readonly log: Record<string, unknown>[];
  /** With the key of `as`, without one if it is left out. A body that isn't a string is sent as JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Response>;
  /** Serves on a free port of this machine until the test ends. */
  listen(): Promise<number>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly as?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface GatewayFixtureOptions {
  readonly config?: Partial<GatewayConfig>;
  readonly parts?: Partial<GatewayParts>;
  readonly limitsOf?: (tenant: string) => Principal['limits'];
  readonly engine?: ScriptedEngineOptions;
}

/** The key of a tenant is `ai-key-<tenant>`, of any tenant that doesn't begin with `no`. */
const keyOf = (tenant: string): string => `ai-key-${tenant}`;

/** The whole gateway over a real session manager and store with a scripted engine. Keys are required. */
export async function openGateway(options: GatewayFixtureOptions = {}): Promise<GatewayFixture> {
  const below = await openRoutes(() => newRoutes(), {
    config: { keyRequired: true, ...options.config },
    ...(options.engine && { engine: options.engine }),
  });
  const metrics = new GatewayMetrics();
  const log: Record<string, unknown>[] = [];
  const authenticate = (key: string): Principal | undefined => {
    const tenant = /^ai-key-((?!no)\w+)$/.exec(key)?.[1];
    const limits = tenant && options.limitsOf?.(tenant);
    return tenant ? { tenant, keyId: `id-of-${tenant}`, ...(limits && { limits }) } : undefined;
  };
  const logger = pino({ level: 'info' }, { write: (line: string) => log.push(JSON.parse(line)) });
  const gateway = createGateway({ ...below.parts, authenticate, logger, ...options.parts, turns: metrics });
  const servers: ReturnType<typeof createAdaptorServer>[] = [];
  return {
    ...gateway,
    below,
    metrics,
    log,
    call: async (method, path, { as, body, headers = {} } = {}) => {
      const raw = typeof body === 'string' || body instanceof FormData || body instanceof Uint8Array;
      return gateway.app.request(path, {
        method,
        headers: {
          ...(as !== undefined && { authorization: `Bearer ${keyOf(as)}` }),
          ...(body !== undefined && !raw && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: raw ? (body as RequestInit['body']) : JSON.stringify(body) }),
      });
    },
    listen: async () => {
      const server = createAdaptorServer({ fetch: gateway.app.fetch });
      answerClientErrors(server as Parameters<typeof answerClientErrors>[0]);
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    },
    close: async () => {
      for (const server of servers) {
        (server as Parameters<typeof answerClientErrors>[0]).closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      await below.close();
    },
  };
}

/** `openGateway`, closed after each test. */
export function gatewayFixtures(): typeof openGateway {
  const open: GatewayFixture[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  return async (options) => {
    const made = await openGateway(options);
    open.push(made);
    return made;
  };
}
