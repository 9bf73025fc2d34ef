import type { MiddlewareHandler } from 'hono';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { failure } from '../../core/errors.ts';
import type { RateLimits } from '../config.ts';
import type { GatewayEnv, Principal } from '../parts.ts';
import { resetDuration } from './resetDuration.ts';

type Unit = keyof RateLimits;
const units: readonly Unit[] = ['requests', 'tokens', 'pictures'];
const windowSeconds = 60;

/** Requests that spend tokens. What they will take is known afterwards, so they are let in while any are left. */
const turnPaths: ReadonlySet<string> = new Set(['/v1/responses', '/v1/chat/completions']);

/**
 * Counts what each key takes, or each tenant where no key is needed, in windows of a minute that begin with its first request.
 * In this process's memory: a restart forgets them, and every process of several counts for itself.
 */
export class RateLimiting {
  readonly #defaults: RateLimits;
  readonly #limiters = new Map<string, RateLimiterMemory>();

  constructor(defaults: RateLimits) {
    this.#defaults = defaults;
  }

  /** Tells every reply, errors too, where its sender stands; so it wraps `middleware`. */
  readonly headers: MiddlewareHandler<GatewayEnv> = async (c, next) => {
    await next();
    const principal = c.get('principal') as Principal | undefined;
    if (principal === undefined) return;
    for (const unit of units) {
      const limit = this.#limitOf(principal, unit);
      if (limit === null) continue;
      const { consumedPoints, msBeforeNext } = await this.#standing(principal, unit, limit);
      c.res.headers.set(`x-ratelimit-limit-${unit}`, String(limit));
      c.res.headers.set(`x-ratelimit-remaining-${unit}`, String(Math.max(0, limit - consumedPoints)));
      c.res.headers.set(`x-ratelimit-reset-${unit}`, resetDuration(msBeforeNext));
    }
  };

  readonly middleware: MiddlewareHandler<GatewayEnv> = async (c, next) => {
    const principal = c.get('principal') as Principal | undefined;
    if (principal === undefined) return next();
    c.set('spend', async ({ tokens = 0, pictures = 0 }) => {
      if (pictures > 0) await this.#take(principal, 'pictures', pictures);
      if (tokens > 0) await this.#charge(principal, tokens);
    });
    await this.#take(principal, 'requests', 1);
    if (c.req.method === 'POST' && turnPaths.has(c.req.path)) await this.#demandTokens(principal);
    return next();
  };

  /** @throws rate_limit_exceeded; nothing is counted then, but for requests: trying again too early gets nobody further */
  async #take(principal: Principal, unit: 'requests' | 'pictures', count: number): Promise<void> {
    const limit = this.#limitOf(principal, unit);
    if (limit === null) return;
    const limiter = this.#limiter(unit, limit);
    try {
      await limiter.consume(ownerOf(principal), count);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      if (unit === 'pictures') await limiter.reward(ownerOf(principal), count);
      throw exceeded(unit, limit, refused);
    }
  }

  async #charge(principal: Principal, tokens: number): Promise<void> {
    const limit = this.#limitOf(principal, 'tokens');
    if (limit !== null) await this.#limiter('tokens', limit).penalty(ownerOf(principal), tokens);
  }

  async #demandTokens(principal: Principal): Promise<void> {
    const limit = this.#limitOf(principal, 'tokens');
    if (limit === null) return;
    const standing = await this.#standing(principal, 'tokens', limit);
    if (standing.consumedPoints >= limit) throw exceeded('tokens', limit, standing);
  }

  async #standing(
    principal: Principal,
    unit: Unit,
    limit: number,
  ): Promise<Pick<RateLimiterRes, 'consumedPoints' | 'msBeforeNext'>> {
    const standing = await this.#limiter(unit, limit).get(ownerOf(principal));
    return standing ?? { consumedPoints: 0, msBeforeNext: 0 };
  }

  #limitOf({ limits }: Principal, unit: Unit): number | null {
    const own = limits?.[unit];
    return own === undefined ? this.#defaults[unit] : own;
  }

  /** One for each limit that anybody has: a limiter can't have more than one. */
  #limiter(unit: Unit, limit: number): RateLimiterMemory {
    const name = `${unit}:${limit}`;
    const known = this.#limiters.get(name);
    if (known) return known;
    const made = new RateLimiterMemory({ keyPrefix: name, points: limit, duration: windowSeconds });
    this.#limiters.set(name, made);
    return made;
  }
}

const ownerOf = ({ tenant, keyId }: Principal): string =>
  keyId === null ? `tenant:${tenant}` : `key:${keyId}`;

function exceeded(unit: Unit, limit: number, { msBeforeNext }: Pick<RateLimiterRes, 'msBeforeNext'>) {
  return failure('rate_limit_exceeded', { limit, unit, retryAfterMs: Math.max(1, Math.ceil(msBeforeNext)) });
}
