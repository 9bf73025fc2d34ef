import type { MiddlewareHandler } from 'hono';
import { failure } from '../../core/errors.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayEnv } from '../parts.ts';
import { parseJson } from './json.ts';
import { readBody } from './readBody.ts';
import type { Route, RouteTable } from './routeTable.ts';

const json = 'application/json';

/**
 * Reads and checks JSON bodies before any route sees them: media type, size, depth, syntax. Bodies of other declared types are
 * only checked for their type; their route reads them within its own limits.
 */
export function bodies(table: RouteTable, config: GatewayConfig): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const { method, path, raw } = c.req;
    const route = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? undefined : table.find(method, path);
    if (route === undefined) return next();
    checkEncoding(raw, route);
    const type = mediaType(raw);
    if (type !== undefined && type !== json && route.bodyTypes.includes(type)) return next();
    if (type !== undefined && !acceptsJson(route, type)) throw wrongType(route, `of the type ${type}`);
    const bytes = await readBody(raw, config.maxBodyBytes);
    if (bytes.length > 0 && type === undefined) throw wrongType(route, 'of no declared type');
    if (bytes.length === 0 && route.bodyRequired) {
      throw acceptsJson(route, json)
        ? failure('invalid_json', { problem: 'it is empty' })
        : wrongType(route, 'empty');
    }
    const body = bytes.length === 0 ? {} : parseJson(bytes, config.maxJsonDepth);
    if (route.bodyTypes.length === 0) refuseFields(body);
    // Routes get what was parsed here instead of parsing it again; the bytes are gone.
    c.req.json = async () => body as never;
    c.req.bodyCache.text = Promise.resolve('') as never;
    return next();
  };
}

function acceptsJson({ bodyTypes }: Route, type: string): boolean {
  return type === json && (bodyTypes.length === 0 || bodyTypes.includes(json));
}

/** Undefined when none is declared. With a charset other than UTF-8 it is another type. */
function mediaType({ headers }: Request): string | undefined {
  const header = headers.get('content-type');
  if (header === null) return undefined;
  const [essence = '', ...parameters] = header
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return charset === undefined || /^charset="?utf-8"?$/.test(charset)
    ? shortened(essence)
    : shortened(`${essence}; ${charset}`);
}

function checkEncoding({ headers }: Request, route: Route): void {
  const encoding = headers.get('content-encoding');
  if (encoding === null || encoding.toLowerCase() === 'identity') return;
  throw failure('media_type_unsupported', {
    actual: `encoded as ${shortened(encoding)}`,
    expected: `${expected(route)} without an encoding`,
  });
}

/** A route that takes no body takes an empty object: some clients send one with every POST. */
function refuseFields(body: unknown): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw failure('invalid_parameter', { param: 'body', problem: 'must be left out or {}' });
  }
  const [field] = Object.keys(body);
  if (field !== undefined) throw failure('unknown_parameter', { param: shortened(field) });
}

const wrongType = (route: Route, actual: string) =>
  failure('media_type_unsupported', { actual, expected: expected(route) });

const expected = ({ bodyTypes }: Route): string => bodyTypes.join(' or ') || 'no body';

const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text);
