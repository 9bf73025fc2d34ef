import { OpenAPIHono } from '@hono/zod-openapi';
import type { GatewayEnv } from '../parts.ts';
import { refusalOf } from './refusal.ts';
import { useOurWording } from './wording.ts';

/** An empty set of routes. What doesn't fit a route's schema is thrown as the error that names the field. */
export function newRoutes(): OpenAPIHono<GatewayEnv> {
  useOurWording();
  return new OpenAPIHono<GatewayEnv>({
    defaultHook: (result) => {
      if (!result.success) throw refusalOf(result.error);
    },
  });
}
