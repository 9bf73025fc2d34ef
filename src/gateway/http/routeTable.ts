import type { OpenAPIHono } from '@hono/zod-openapi';
import type { GatewayEnv } from '../parts.ts';

/** One documented route. */
export interface Route {
  /** Upper case. */
  readonly method: string;
  /** As documented: `/v1/files/{file_id}`. */
  readonly path: string;
  readonly needsKey: boolean;
  /** Media types the body may have; empty when the route takes none. */
  readonly bodyTypes: readonly string[];
  readonly bodyRequired: boolean;
}

interface Entry extends Route {
  readonly pattern: RegExp;
}

/** The routes as the OpenAPI document lists them: what checks bodies, keys and methods reads the same declarations as clients. */
export class RouteTable {
  readonly routes: readonly Route[];
  readonly #entries: readonly Entry[];

  constructor(app: OpenAPIHono<GatewayEnv>) {
    this.#entries = app.openAPIRegistry.definitions
      .flatMap((definition) => (definition.type === 'route' ? [definition.route] : []))
      .map(({ method, path, security, request }) => ({
        method: method.toUpperCase(),
        path,
        needsKey: security?.length !== 0,
        bodyTypes: Object.keys(request?.body?.content ?? {}),
        bodyRequired: request?.body?.required === true,
        pattern: patternOf(path),
      }))
      // A path without parameters is meant before one that would match it as well.
      .sort((a, b) => parameters(a.path) - parameters(b.path));
    this.routes = this.#entries;
  }

  /** HEAD is answered by GET. */
  find(method: string, path: string): Route | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method;
    return this.#entries.find((entry) => entry.method === wanted && entry.pattern.test(path));
  }

  /** What the path can be asked with, for `allow`; empty when there is no such path. */
  methodsOf(path: string): readonly string[] {
    const methods = this.#entries.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (methods.length === 0) return [];
    return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].sort();
  }
}

const parameters = (path: string): number => path.split('{').length - 1;

function patternOf(path: string): RegExp {
  const source = path
    .split(/\{[^}]+\}/)
    .map((fixed) => fixed.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]+');
  return new RegExp(`^${source}$`);
}
