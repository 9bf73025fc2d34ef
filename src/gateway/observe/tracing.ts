import { context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { MiddlewareHandler } from 'hono';
import type { RouteTable } from '../http/routeTable.ts';
import type { GatewayEnv } from '../parts.ts';
import { newSpanContext, parseTraceparent, traceparentOf } from './traceContext.ts';

/**
 * One span for each request, in its caller's trace. Without a tracing SDK in the process the spans go nowhere, and `traceparent`
 * gets a span id of our own all the same, so that the log lines of gateway and engine can be told to belong together.
 * Names as in https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
export function tracing(table: RouteTable): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const parent = parseTraceparent(c.req.header('traceparent'));
    const { method } = c.req;
    const route = table.find(method, c.req.path)?.path;
    const outer = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const span = trace.getTracer('afterimage').startSpan(
      route === undefined ? method : `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': method,
          'afterimage.request_id': c.var.requestId,
          ...(route !== undefined && { 'http.route': route }),
        },
      },
      outer,
    );
    const made = span.spanContext();
    const isRecorded = trace.isSpanContextValid(made) && made.spanId !== parent?.spanId;
    c.set('traceparent', traceparentOf(isRecorded ? made : newSpanContext(parent)));
    try {
      await context.with(trace.setSpan(outer, span), next);
    } finally {
      finish(span, c.res.status);
    }
  };
}

function finish(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}
