import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { failure } from '../../core/errors.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayEnv } from '../parts.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Keeps web pages of others away from a server that asks for no key: one that has its own name resolve to this machine (DNS
 * rebinding) is known by its Host, one that sends requests across origins by its Origin or Sec-Fetch-Site. Where keys are
 * required a page has none to send.
 */
export function browserGuard(config: GatewayConfig): MiddlewareHandler<GatewayEnv> {
  const allowed = new Set(config.allowedHosts.map((host) => host.toLowerCase()));
  return async (c, next) => {
    if (config.keyRequired) return next();
    const host = (c.req.header('host') ?? new URL(c.req.url).host).toLowerCase();
    const name = nameOf(host);
    if (!isLoopbackName(name) && !allowed.has(name)) {
      throw failure('host_refused', {
        host: name.slice(0, 80),
        allowed: ['localhost', ...allowed].join(', '),
      });
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && !isOriginOf(origin, host)) {
      throw failure('origin_refused', {
        origin: origin === 'null' ? 'an unknown origin' : origin.slice(0, 80),
      });
    }
    // A link may lead here from anywhere; a page of another site may neither embed nor call anything.
    const site = c.req.header('sec-fetch-site');
    const isLink = c.req.header('sec-fetch-mode') === 'navigate' && c.req.method === 'GET';
    if (origin === undefined && (site === 'cross-site' || site === 'same-site') && !isLink) {
      throw failure('origin_refused', { origin: 'other sites' });
    }
    return next();
  };
}

/** Host without its port; the address of an IPv6 one without brackets. */
function nameOf(host: string): string {
  return /^\[(.+)\](:\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, '');
}

/** A name that no resolver can lead elsewhere. */
export function isLoopbackName(name: string): boolean {
  if (isIPv4(name)) return loopback.check(name, 'ipv4');
  if (isIPv6(name)) return loopback.check(name, 'ipv6');
  return name === 'localhost' || name.endsWith('.localhost');
}

function isOriginOf(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.replace(/:80$/, '');
}
