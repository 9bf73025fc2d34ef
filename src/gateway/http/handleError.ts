import type { Context, ErrorHandler, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { AfterimageError } from '../../core/errors.ts';
import { TurnCancelled } from '../../session/liveTurn.ts';
import type { GatewayEnv } from '../parts.ts';
import { errorReply } from './errorReply.ts';

/** Answers whatever was thrown in OpenAI's shape. The log, and nobody else, gets to see what isn't meant for users. */
export function handleError(logger: Logger): ErrorHandler<GatewayEnv> {
  return (thrown, c) => {
    const { status, headers, error } = errorReply(thrown);
    if (status >= 500 && !isNoFault(c, thrown)) {
      const { requestId } = c.var;
      // A server that is full or shutting down says so to many: no fault, and no place in the code to look at.
      const isToldWhole = thrown instanceof AfterimageError && thrown.message === error.message;
      if (status === 503 && isToldWhole) logger.warn({ requestId, code: error.code }, 'request refused');
      else logger.error({ err: thrown, requestId, code: error.code }, 'request failed');
    }
    return c.json({ error }, status as ContentfulStatusCode, { ...headers });
  };
}

/** Whoever hung up isn't answered, and what that broke is no fault; nor is a turn that its owner stopped. */
function isNoFault(c: Context<GatewayEnv>, thrown: unknown): boolean {
  if (thrown instanceof TurnCancelled) return true;
  return c.req.raw.signal.aborted && !(thrown instanceof AfterimageError);
}

/** Hono hands only errors to its error handler, but anything can be thrown: an abort's reason is whatever its caller gave. */
export const onlyErrors: MiddlewareHandler = async (_, next) => {
  try {
    await next();
  } catch (thrown) {
    throw thrown instanceof Error ? thrown : new Error(`not an error was thrown: ${String(thrown)}`);
  }
};
