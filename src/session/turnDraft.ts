import { failure } from '../core/errors.ts';
import type { GenerateRequest } from '../core/request.ts';
import { validateRequest } from '../core/validateRequest.ts';
import { type ItemRuns, joinRuns } from './itemRuns.ts';
import { notFound } from './notFound.ts';
import type { Pictures } from './pictures.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { appendItems } from './recordEdits.ts';
import { renderItems } from './render.ts';
import { storeItems } from './storeItems.ts';
import type { TurnBase, TurnRequest } from './turnRequest.ts';
import { itemsOf } from './view.ts';

/** A turn worked out and checked, with nothing written yet. */
export interface TurnDraft {
  /** With the turn's items and pictures, without its intent. */
  readonly record: SessionRecord;
  readonly response: ResponseRecord;
  readonly generate: GenerateRequest;
  readonly newBlobIds: readonly string[];
}

/** @throws not_found, invalid_parameter, and what the intake throws */
export async function draftTurn(
  { tenant, request, base }: { tenant: string; request: TurnRequest; base: TurnBase | undefined },
  before: SessionRecord,
  parts: { requestDigest: string; pointer: string | null; nowMs: number; pictures: Pictures },
): Promise<TurnDraft> {
  const context = contextOf(before, base);
  const serial = before.nextSerial;
  const stored = await storeItems(tenant, before, request.input, { serial, pictures: parts.pictures });
  const { record, runs: input } = appendItems({ ...before, pictures: stored.pictures }, stored.items);
  const response: ResponseRecord = {
    serial,
    parent: base?.type === 'response' ? base.serial : null,
    inConversation: base?.type === 'conversation',
    background: request.background ?? false,
    status: 'in_progress',
    createdAtMs: parts.nowMs,
    completedAtMs: null,
    requestDigest: parts.requestDigest,
    pointer: parts.pointer,
    instructions: request.instructions ?? null,
    metadata: request.metadata ?? {},
    echo: request.echo ?? {},
    context,
    input,
    output: [],
    result: null,
    error: null,
  };
  const generate: GenerateRequest = {
    tenant,
    messages: renderItems(itemsOf(record, joinRuns(context, input)), {
      instructions: response.instructions,
      picture: (number) => {
        const picture = record.pictures.find((known) => known.number === number);
        if (!picture) throw new Error(`session ${record.session} has no picture ${number}`);
        return parts.pictures.source(tenant, picture);
      },
    }),
    ...(request.sampling && { sampling: request.sampling }),
    ...(request.maxOutputTokens !== undefined && { maxOutputTokens: request.maxOutputTokens }),
    ...(request.stop && { stop: request.stop }),
  };
  validateRequest(generate);
  return { record, response, generate, newBlobIds: stored.newBlobIds };
}

/** The items a turn is said after. */
function contextOf({ responses, conversation }: SessionRecord, base: TurnBase | undefined): ItemRuns {
  if (!base) return [];
  if (base.type === 'conversation') {
    if (!conversation) throw notFound('conversation', base.id);
    return conversation.items;
  }
  const parent = responses.find(({ serial }) => serial === base.serial);
  if (!parent) throw notFound('response', base.id);
  if (parent.status === 'failed' || parent.status === 'cancelled') {
    throw failure('invalid_parameter', {
      param: 'previous_response_id',
      problem: `${base.id} has no answer to build on, it is ${parent.status}`,
    });
  }
  return joinRuns(joinRuns(parent.context, parent.input), parent.output);
}
