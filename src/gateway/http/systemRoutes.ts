import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { failure } from '../../core/errors.ts';
import type { GatewayMetrics } from '../observe/metrics.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { newRoutes } from './newRoutes.ts';

const status = (description: string) => ({
  description,
  content: { 'application/json': { schema: z.object({ status: z.string() }) } },
});

/** What operators and their tools ask a server, besides its API. */
export function systemRoutes(
  parts: GatewayParts,
  metrics: GatewayMetrics,
  document: () => object,
): OpenAPIHono<GatewayEnv> {
  const { config, engine, sessions } = parts;
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: 'get',
      path: '/livez',
      operationId: 'getLiveness',
      summary: 'Whether the process answers at all',
      security: [],
      responses: { 200: status('It does.') },
    }),
    (c) => c.json({ status: 'alive' }, 200),
  );
  routes.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      operationId: 'getReadiness',
      summary: 'Whether turns can be run now',
      security: [],
      responses: {
        200: status('They can.'),
        503: status('The server starts or shuts down, or its data folder is gone.'),
      },
    }),
    (c) => (parts.isReady() ? c.json({ status: 'ready' }, 200) : c.json({ status: 'not ready' }, 503)),
  );
  routes.openapi(
    createRoute({
      method: 'get',
      path: '/openapi.json',
      operationId: 'getOpenApiDocument',
      summary: 'This description',
      security: [],
      responses: {
        200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: z.looseObject({}) } } },
      },
    }),
    (c) => c.json(document() as Record<string, unknown>, 200),
  );
  routes.openapi(
    createRoute({
      method: 'get',
      path: '/metrics',
      operationId: 'getMetrics',
      summary: "Prometheus metrics of the whole server, for the operator's keys",
      responses: { 200: { description: 'Text format.', content: { 'text/plain': { schema: z.string() } } } },
    }),
    async (c) => {
      // How busy everybody is together still tells one tenant something of the others.
      if (c.var.principal.tenant !== config.localTenant) {
        throw failure('metrics_refused', { tenant: config.localTenant });
      }
      const { contentType, text } = await metrics.expose({ engine, sessions });
      return c.text(text, 200, { 'content-type': contentType });
    },
  );
  return routes;
}
