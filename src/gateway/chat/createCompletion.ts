import type { Context } from 'hono';
import { TurnCancelled } from '../../session/liveTurn.ts';
import { errorReply } from '../http/errorReply.ts';
import { toInputItems } from '../items/toInputItems.ts';
import { resolveModel } from '../models/modelName.ts';
import { systemFingerprint } from '../models/systemFingerprint.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { TurnRun } from '../responses/turnRun.ts';
import { clientClosedRequest, eventStreamResponse } from '../sse/eventStream.ts';
import { chunkStream } from './chunkStream.ts';
import { completionOf, type ServedModel } from './completion.ts';
import { inChatFields } from './fieldNames.ts';
import type { ChatBody } from './requestSchema.ts';
import { type PlacedItem, toInput } from './toInput.ts';
import { toTurnRequest } from './toTurnRequest.ts';
import { refuseUnsupported } from './unsupported.ts';

/** Runs the turn a body asks for, without keeping it, and answers with its completion or its chunks. */
export async function createCompletion(
  c: Context<GatewayEnv>,
  parts: GatewayParts,
  body: ChatBody,
): Promise<Response> {
  refuseUnsupported(body);
  const model = await resolveModel(parts, body.model ?? undefined);
  const served = { model, fingerprint: systemFingerprint(await parts.engine.ready()) };
  const items = toInput(body.messages);
  try {
    const run = await begin(c, parts, { body, items });
    return body.stream ? await streamed(c, parts, { run, served, body, items }) : await whole(c, run, served);
  } catch (error) {
    throw inChatFields(error, items);
  }
}

async function begin(
  c: Context<GatewayEnv>,
  parts: GatewayParts,
  { body, items }: { body: ChatBody; items: readonly PlacedItem[] },
): Promise<TurnRun> {
  const { tenant } = c.get('principal');
  const spend = c.get('spend');
  // Before any picture is counted and stored.
  const request = toTurnRequest(body, { input: [], traceparent: c.get('traceparent') });
  const input = await toInputItems(
    items.map(({ item }) => item),
    { tenant, parts, spend },
  );
  return new TurnRun(parts, { tenant, request: { ...request, input }, spend });
}

async function streamed(
  c: Context<GatewayEnv>,
  { config, logger }: GatewayParts,
  {
    run,
    served,
    body,
    items,
  }: { run: TurnRun; served: ServedModel; body: ChatBody; items: readonly PlacedItem[] },
): Promise<Response> {
  const chunks = chunkStream(run.events[Symbol.asyncIterator](), {
    ...served,
    includeUsage: body.stream_options?.include_usage ?? false,
    onError: (thrown) => {
      const { status, error } = errorReply(inChatFields(thrown, items));
      // A turn that was left has no reader who could be told, and nothing went wrong with it.
      if (status >= 500 && !(thrown instanceof TurnCancelled)) {
        logger.error({ err: thrown, requestId: c.get('requestId') }, 'stream broken off');
      }
      return error;
    },
  });
  return eventStreamResponse(c, chunks, { slowReaderMs: config.slowReaderMs, onDisconnect: run.leave });
}

async function whole(c: Context<GatewayEnv>, run: TurnRun, served: ServedModel): Promise<Response> {
  const { signal } = c.req.raw;
  signal.addEventListener('abort', run.leave, { once: true });
  if (signal.aborted) run.leave();
  try {
    for await (const event of run.events) {
      if (event.type === 'finished') return c.json(completionOf(event.response, served));
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
