import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import pino from 'pino';
import { afterEach } from 'vitest';
import { defaultGatewayConfig, type GatewayConfig } from '../../src/gateway/config.ts';
import { errorReply } from '../../src/gateway/http/errorReply.ts';
import { newRoutes } from '../../src/gateway/http/newRoutes.ts';
import type { GatewayEnv, GatewayParts } from '../../src/gateway/parts.ts';
import { ScriptedEngine, type ScriptedEngineOptions } from '../../src/inference/scriptedEngine.ts';
import { pictureIntake } from '../../src/server/pictureIntake.ts';
import { SessionManager } from '../../src/session/sessionManager.ts';
import { openStore } from '../../src/store/openStore.ts';
import { uploadKey } from './sessions.ts';

export interface RouteFixture {
  readonly parts: GatewayParts;
  readonly engine: ScriptedEngine;
  /** Errors that no caller was told of. */
  readonly problems: unknown[];
  /** Everything that handlers counted. */
  readonly spent: { tokens: number; pictures: number };
  readonly finished: string[];
  readonly failed: unknown[];
  /** For a real server in front of the routes. */
  readonly fetch: OpenAPIHono<GatewayEnv>['fetch'];
  /** A request of `tenant`, `local` unless it is given; a body that isn't a string, form or bytes is sent as JSON. */
  request(
    method: string,
    path: string,
    body?: unknown,
    options?: { tenant?: string; headers?: Record<string, string> },
  ): Promise<Response>;
  close(): Promise<void>;
}

/** Routes over a real session manager and store with a scripted engine, without the rest of the gateway. */
export async function openRoutes(
  routesOf: (parts: GatewayParts) => OpenAPIHono<GatewayEnv>,
  options: { engine?: ScriptedEngineOptions; config?: Partial<GatewayConfig> } = {},
): Promise<RouteFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'afterimage-routes-'));
  const engine = new ScriptedEngine(options.engine);
  const problems: unknown[] = [];
  const store = await openStore(folder);
  const sessions = new SessionManager({
    store,
    engine,
    uploadKey,
    intake: pictureIntake,
    onProblem: (problem) => problems.push(problem),
  });
  sessions.start();
  const spent = { tokens: 0, pictures: 0 };
  const finished: string[] = [];
  const failed: unknown[] = [];
  const parts: GatewayParts = {
    sessions,
    engine,
    authenticate: () => undefined,
    isReady: () => true,
    config: { ...defaultGatewayConfig, keyRequired: false, ...options.config },
    turns: { finished: ({ id }) => finished.push(id), failed: (error) => failed.push(error) },
    logger: pino({ level: 'silent' }),
  };
  const app = newRoutes();
  app.use(async (c, next) => {
    c.set('requestId', 'req_test');
    c.set('principal', { tenant: c.req.header('x-test-tenant') ?? 'local', keyId: null });
    c.set('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    c.set('spend', async ({ tokens = 0, pictures = 0 }) => {
      spent.tokens += tokens;
      spent.pictures += pictures;
    });
    await next();
  });
  app.onError((thrown, c) => {
    const { status, headers, error } = errorReply(thrown);
    if (status === 500) problems.push(thrown);
    return c.json({ error }, status as ContentfulStatusCode, headers);
  });
  app.route('/', routesOf(parts));
  return {
    parts,
    engine,
    problems,
    spent,
    finished,
    failed,
    fetch: app.fetch,
    request: async (method, path, body, { tenant = 'local', headers = {} } = {}) => {
      const raw = typeof body === 'string' || body instanceof FormData || body instanceof Uint8Array;
      return app.request(path, {
        method,
        headers: {
          'x-test-tenant': tenant,
          ...(body !== undefined && !raw && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: raw ? (body as RequestInit['body']) : JSON.stringify(body) }),
      });
    },
    close: async () => {
      await sessions.stop(1_000);
      await engine.dispose();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `openRoutes`, closed after each test. */
export function routeFixtures(): (...options: Parameters<typeof openRoutes>) => Promise<RouteFixture> {
  const open: RouteFixture[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  return async (...options) => {
    const made = await openRoutes(...options);
    open.push(made);
    return made;
  };
}
