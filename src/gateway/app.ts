import type { OpenAPIHono } from '@hono/zod-openapi';
import { chatRoutes } from './chat/routes.ts';
import { conversationRoutes } from './conversations/routes.ts';
import { fileRoutes } from './files/routes.ts';
import { authentication } from './http/authentication.ts';
import { bodies } from './http/bodies.ts';
import { browserGuard } from './http/browserGuard.ts';
import { handleError, onlyErrors } from './http/handleError.ts';
import { newRoutes } from './http/newRoutes.ts';
import { openApiDocument } from './http/openApiDocument.ts';
import { type Route, RouteTable } from './http/routeTable.ts';
import { systemRoutes } from './http/systemRoutes.ts';
import { unmatched } from './http/unmatched.ts';
import { RateLimiting } from './limits/rateLimits.ts';
import { modelRoutes } from './models/routes.ts';
import type { GatewayMetrics } from './observe/metrics.ts';
import { requestLog } from './observe/requestLog.ts';
import { tracing } from './observe/tracing.ts';
import type { GatewayEnv, GatewayParts } from './parts.ts';
import { responsesRoutes } from './responses/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';

export interface Gateway {
  readonly app: OpenAPIHono<GatewayEnv>;
  /** Every documented route. */
  readonly routes: readonly Route[];
}

/** The whole HTTP side. It listens nowhere and owns none of its parts. */
export function createGateway(parts: GatewayParts & { readonly turns: GatewayMetrics }): Gateway {
  const { config, logger, turns: metrics } = parts;
  const routes = newRoutes();
  routes.route('/', chatRoutes(parts));
  routes.route('/', fileRoutes(parts));
  routes.route('/', modelRoutes(parts));
  routes.route('/', responsesRoutes(parts));
  routes.route('/', sessionRoutes(parts));
  routes.route('/', conversationRoutes(parts));
  let document: object | undefined;
  routes.route(
    '/',
    systemRoutes(parts, metrics, () => (document ??= openApiDocument(routes))),
  );

  const table = new RouteTable(routes);
  const limits = new RateLimiting(config.limits);
  const app = newRoutes();
  app.use(requestLog(table, logger, metrics));
  app.use(tracing(table));
  app.use(onlyErrors);
  app.use(browserGuard(config));
  app.use('/v1/*', limits.headers);
  app.use(authentication(parts, table));
  app.use('/v1/*', limits.middleware);
  app.use(bodies(table, config));
  app.route('/', routes);
  app.notFound(unmatched(table));
  app.onError(handleError(logger));
  return { app, routes: table.routes };
}
