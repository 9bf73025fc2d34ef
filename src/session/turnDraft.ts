import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type { GenerateRequest } from '../core/request.ts';
import { validateRequest } from '../core/validateRequest.ts';
import type { BlobToHold } from './blobHolders.ts';
import { checkAllAnswered, checkOutputs } from './functionCalls.ts';
import { type ItemRuns, joinRuns } from './itemRuns.ts';
import type { StoredItem } from './items.ts';
import { notFound } from './notFound.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { appendItems } from './recordEdits.ts';
import { type ItemSources, storeItems } from './storeItems.ts';
import { itemsToDrop, withoutOldest } from './truncation.ts';
import { engineRequest, promptMessages } from './turnPrompt.ts';
import { digestOf, type TurnBase, type TurnRequest } from './turnRequest.ts';
import { itemsOf } from './view.ts';

/** A turn worked out and checked, with nothing written yet. */
export interface TurnDraft {
  /** With the turn's items and pictures, without its intent. */
  readonly record: SessionRecord;
  readonly response: ResponseRecord;
  readonly generate: GenerateRequest;
  /** Items of the context that `generate` doesn't have. */
  readonly droppedItems: number;
  readonly toHold: readonly BlobToHold[];
}

/** @throws not_found, invalid_parameter, and what intake and engine throw */
export async function draftTurn(
  { tenant, request, base }: { tenant: string; request: TurnRequest; base: TurnBase | undefined },
  before: SessionRecord,
  parts: ItemSources & {
    requestDigest: string;
    pointer: string | null;
    nowMs: number;
    engine: InferencePort;
  },
): Promise<TurnDraft> {
  const { pictures } = parts;
  const context = contextOf(before, base);
  const serial = before.nextSerial;
  const stored = await storeItems(tenant, before, request.input, { serial, sources: parts, field: 'input' });
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
    comparison: null,
    toolsDigest: request.tools?.length ? shortDigest([request.tools, request.toolChoice ?? 'auto']) : null,
    formatDigest: request.format ? shortDigest(request.format) : null,
    error: null,
  };
  const items = itemsOf(record, joinRuns(context, input));
  const contextCount = items.length - stored.items.length;
  checkOutputs(items.slice(0, contextCount), stored.items, 'input');
  checkAllAnswered(items);
  const promptOf = (shown: readonly StoredItem[]): GenerateRequest => {
    const { instructions } = response;
    const messages = promptMessages(tenant, shown, { record, instructions, pictures });
    const own = request.store === false ? {} : { session: record.session };
    return { ...engineRequest(tenant, request, messages), ...own };
  };
  validateRequest(promptOf(items));
  const maxOutputTokens = request.prewarm ? 0 : request.maxOutputTokens;
  const droppedItems =
    request.truncation === 'auto'
      ? await itemsToDrop(items, contextCount, { engine: parts.engine, promptOf, maxOutputTokens })
      : 0;
  const generate = promptOf(withoutOldest(items, droppedItems));
  return {
    record,
    response,
    generate,
    droppedItems,
    toHold: stored.toHold,
  };
}

/** 66 bits: enough to tell a change from none, and every turn keeps one. */
const shortDigest = (value: unknown): string => digestOf(value).slice(0, 11);

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
