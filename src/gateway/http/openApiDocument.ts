import type { OpenAPIHono } from '@hono/zod-openapi';
import type { GatewayEnv } from '../parts.ts';
import { errorSchema, withErrorResponses } from './errorResponses.ts';

/** The OpenAPI 3.1 document of `routes`, made from the schemas they check requests with. */
export function openApiDocument(routes: OpenAPIHono<GatewayEnv>): object {
  routes.openAPIRegistry.register('Error', errorSchema);
  routes.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key. A server that listens on loopback alone needs none.',
  });
  const document = routes.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Afterimage',
      version: '1',
      description: "Visual conversations that are remembered, in the wire formats of OpenAI's API.",
    },
    security: [{ bearer: [] }],
  });
  return { ...document, paths: withErrorResponses(document.paths ?? {}) };
}
