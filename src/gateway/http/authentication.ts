import type { MiddlewareHandler } from 'hono';
import { apiKeyPrefix } from '../../core/apiKey.ts';
import { failure } from '../../core/errors.ts';
import type { GatewayEnv, GatewayParts, Principal } from '../parts.ts';
import type { RouteTable } from './routeTable.ts';

/** Longer ones are not looked up. */
const maxKeyLength = 256;

/** Finds out whom a request acts for, before anything of its body is read. What isn't documented under /v1 needs a key as well. */
export function authentication(parts: GatewayParts, table: RouteTable): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const { method, path } = c.req;
    const needsKey = table.find(method, path)?.needsKey ?? path.startsWith('/v1/');
    if (needsKey && method !== 'OPTIONS')
      c.set('principal', principalOf(parts, c.req.header('authorization')));
    return next();
  };
}

/**
 * Where no key is needed, clients that can't do without one send a placeholder: it says nothing. But one of ours acts for its
 * tenant there too, and a revoked one for nobody.
 * @throws invalid_api_key
 */
function principalOf({ config, authenticate }: GatewayParts, authorization: string | undefined): Principal {
  const [, key] = /^bearer +(\S+)$/i.exec(authorization?.trim() ?? '') ?? [];
  if (!config.keyRequired && !key?.startsWith(apiKeyPrefix))
    return { tenant: config.localTenant, keyId: null };
  const principal = key !== undefined && key.length <= maxKeyLength ? authenticate(key) : undefined;
  if (principal === undefined) throw failure('invalid_api_key', {});
  return principal;
}
