import type { Context } from 'hono';
import { failure } from '../../core/errors.ts';
import type { GatewayEnv } from '../parts.ts';
import type { RouteTable } from './routeTable.ts';

/** OpenAI's, and not here; their last part would pass for the id of a response that lacks the method. */
const notOffered = new Set(['POST /v1/responses/compact']);

/** What no route answers: OPTIONS of a known path, a method it doesn't have, a path that isn't there. */
export function unmatched(table: RouteTable): (c: Context<GatewayEnv>) => Response {
  return (c) => {
    const { method } = c.req;
    const path = c.req.path.slice(0, 80);
    const methods = table.methodsOf(c.req.path);
    if (methods.length === 0 || notOffered.has(`${method} ${c.req.path}`))
      throw failure('route_not_found', { method, path });
    const allowed = methods.join(', ');
    c.header('allow', allowed);
    if (method === 'OPTIONS') return c.body(null, 204);
    throw failure('method_not_allowed', { method, path, allowed });
  };
}
