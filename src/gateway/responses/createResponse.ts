import type { Context } from 'hono';
import { failure } from '../../core/errors.ts';
import { TurnCancelled, type TurnEvent } from '../../session/liveTurn.ts';
import type { SessionView } from '../../session/view.ts';
import { toInputItems } from '../items/toInputItems.ts';
import { resolveModel } from '../models/modelName.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { clientClosedRequest, eventStreamResponse } from '../sse/eventStream.ts';
import type { CreateBody } from './requestSchema.ts';
import { streamFrames } from './streamFrames.ts';
import { type RequestHeaders, toTurnRequest } from './toTurnRequest.ts';
import { TurnRun } from './turnRun.ts';
import { refuseNoPrompt, refuseUnsupportedOptions, refuseUnsupportedPrompt } from './unsupported.ts';
import { wireResponse } from './wireResponse.ts';
import { inWireTerms } from './wireTerms.ts';

/** Runs the turn a body asks for, and answers with its response or its event stream. */
export async function createResponse(
  c: Context<GatewayEnv>,
  parts: GatewayParts,
  body: CreateBody,
): Promise<Response> {
  refuseNoPrompt(body);
  refuseUnsupportedPrompt(body);
  refuseUnsupportedOptions(body);
  const headers = requestHeaders(c);
  const { tenant } = c.get('principal');
  const spend = c.get('spend');
  const model = await resolveModel(parts, body.model ?? undefined);
  const input = await toInputItems(body.input ?? [], { tenant, parts, spend });
  const request = toTurnRequest(body, { model, input, headers });
  const run = new TurnRun(parts, { tenant, request, spend });
  const include = new Set<string>(body.include ?? []);
  const inTerms = (thrown: unknown): unknown => inWireTerms(thrown, body);
  try {
    return body.stream
      ? await streamed(c, parts, { run, include, inTerms })
      : await whole(c, { run, include, background: body.background ?? false });
  } catch (error) {
    throw inTerms(error);
  }
}

interface Running {
  readonly run: TurnRun;
  readonly include: ReadonlySet<string>;
}

async function streamed(
  c: Context<GatewayEnv>,
  parts: GatewayParts,
  { run, include, inTerms }: Running & { inTerms: (thrown: unknown) => unknown },
): Promise<Response> {
  const { logger, config } = parts;
  const events = withReplayHeader(c, run.events);
  const frames = streamFrames(events, { include, logger, inTerms });
  return eventStreamResponse(c, frames, { slowReaderMs: config.slowReaderMs, onDisconnect: run.leave });
}

/** A background response is answered as soon as its turn has begun. */
async function whole(
  c: Context<GatewayEnv>,
  { run, include, background }: Running & { background: boolean },
): Promise<Response> {
  const { signal } = c.req.raw;
  signal.addEventListener('abort', run.leave, { once: true });
  if (signal.aborted) run.leave();
  try {
    for await (const event of withReplayHeader(c, run.events)) {
      if (event.type === 'finished') setSessionHeaders(c, event.session);
      const isLast = event.type === 'finished' || (background && event.type === 'started');
      if (isLast) return c.json(wireResponse(event.response, include));
    }
    throw new Error('the turn ended without a last event');
  } catch (error) {
    // Nobody reads this reply, and that the turn stopped is what was wanted.
    if (run.isLeft && error instanceof TurnCancelled) return c.body(null, clientClosedRequest);
    throw error;
  } finally {
    signal.removeEventListener('abort', run.leave);
  }
}

/** That a reply is given again is said in a header: its body is to be the same to the byte. */
async function* withReplayHeader(
  c: Context<GatewayEnv>,
  events: AsyncIterable<TurnEvent>,
): AsyncGenerator<TurnEvent, void> {
  for await (const event of events) {
    if (event.type === 'started' && event.replayed) c.header('idempotency-replayed', 'true');
    yield event;
  }
}

/** How the session stands now; in headers, for a reply given again later has the same body and another session around it. */
function setSessionHeaders(c: Context<GatewayEnv>, session: SessionView | null): void {
  if (!session) return;
  c.header('afterimage-session-version', String(session.version));
  c.header('afterimage-session-expires-at', String(Math.floor(session.expiresAtMs / 1_000)));
}

const maxKeyLength = 255;

function requestHeaders(c: Context<GatewayEnv>): RequestHeaders {
  const key = c.req.header('idempotency-key');
  if (key !== undefined && (key === '' || key.length > maxKeyLength)) {
    const problem = `must have 1 to ${maxKeyLength} characters, got ${key.length}`;
    throw failure('invalid_parameter', { param: 'Idempotency-Key', problem });
  }
  // Official clients count from 0; anything else there is no count.
  const retries = /^\d{1,4}$/.exec(c.req.header('x-stainless-retry-count') ?? '')?.[0];
  return {
    ...(key !== undefined && { idempotencyKey: key }),
    ...(retries !== undefined && { retryCount: Number(retries) }),
    traceparent: c.get('traceparent'),
  };
}
