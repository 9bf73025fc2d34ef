import { createRoute, z } from '@hono/zod-openapi';
import {
  type Span,
  type SpanContext,
  type SpanOptions,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { afterEach, expect, test } from 'vitest';
import { newRoutes } from '../http/newRoutes.ts';
import { RouteTable } from '../http/routeTable.ts';
import { tracing } from './tracing.ts';

afterEach(() => {
  trace.disable();
});

const route = createRoute({
  method: 'get',
  path: '/things/{id}',
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: { description: 'The trace context the route was given.' } },
});

function traced() {
  const routes = newRoutes();
  routes.openapi(route, (c) => c.text(c.var.traceparent));
  const app = newRoutes();
  app.use(tracing(new RouteTable(routes)));
  app.route('/', routes);
  return app;
}

const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('without an SDK a request has a span id of its own, in the trace of its caller', async () => {
  const reply = await traced().request('/things/7', { headers: { traceparent: caller } });
  const given = await reply.text();
  expect(given).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  expect(given).not.toBe(caller);
});

test("an operator's SDK gets the span, named by its route, and its id is handed on", async () => {
  const spans: {
    name: string;
    options: SpanOptions | undefined;
    parent: SpanContext | undefined;
    ended: boolean;
  }[] = [];
  const own: SpanContext = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: '1111111111111111',
    traceFlags: 1,
  };
  const provider = {
    getTracer: () => ({
      startSpan: (
        name: string,
        options: SpanOptions | undefined,
        parent: Parameters<typeof trace.getSpanContext>[0],
      ) => {
        const record = { name, options, parent: trace.getSpanContext(parent), ended: false };
        spans.push(record);
        return {
          spanContext: () => own,
          setAttribute: () => {},
          setStatus: () => {},
          end: () => {
            record.ended = true;
          },
        } as unknown as Span;
      },
    }),
  } as unknown as TracerProvider;
  trace.setGlobalTracerProvider(provider);
  const reply = await traced().request('/things/secret-id', { headers: { traceparent: caller } });
  expect(await reply.text()).toBe('00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01');
  expect(spans).toMatchObject([
    { name: 'GET /things/{id}', parent: { spanId: 'b7ad6b7169203331', isRemote: true }, ended: true },
  ]);
  expect(JSON.stringify(spans)).not.toContain('secret-id');
});
