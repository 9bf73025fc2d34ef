import { conversationIdOf, itemIdOf, responseIdOf } from './ids.ts';
import { type ItemRuns, indicesOf } from './itemRuns.ts';
import { type Item, partsOf, type StoredItem, withParts } from './items.ts';
import type {
  Comparison,
  Metadata,
  ResponseRecord,
  ResponseStatus,
  SessionRecord,
  TurnResult,
} from './record.ts';

/** A response as its owner sees it: always made from the record, so that a replayed one is the same to the byte. */
export interface ResponseView {
  readonly id: string;
  readonly status: ResponseStatus;
  readonly background: boolean;
  readonly createdAtMs: number;
  readonly completedAtMs: number | null;
  readonly previousResponseId: string | null;
  readonly conversationId: string | null;
  readonly instructions: string | null;
  readonly metadata: Metadata;
  readonly echo: Readonly<Record<string, unknown>>;
  readonly output: readonly Item[];
  /** Tokens and pictures computed and reused, and how long what took; null until there is an answer. */
  readonly result: TurnResult | null;
  /** Set when the request named a response to compare with and there is an answer. */
  readonly comparison: Comparison | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface ConversationView {
  readonly id: string;
  readonly createdAtMs: number;
  readonly metadata: Metadata;
}

/** How the session stands now; unlike the response it changes with every turn. */
export interface SessionView {
  readonly version: number;
  /** When it ends unless it is used again; Unix milliseconds. */
  readonly expiresAtMs: number;
}

export function responseView(record: SessionRecord, response: ResponseRecord): ResponseView {
  const { session } = record;
  return {
    id: responseIdOf(session, response.serial),
    status: response.status,
    background: response.background,
    createdAtMs: response.createdAtMs,
    completedAtMs: response.completedAtMs,
    previousResponseId: response.parent === null ? null : responseIdOf(session, response.parent),
    conversationId: response.inConversation ? conversationIdOf(session) : null,
    instructions: response.instructions,
    metadata: response.metadata,
    echo: response.echo,
    output: itemViews(record, response.output),
    result: response.result,
    comparison: response.comparison,
    error: response.error,
  };
}

export function conversationView({ session, createdAtMs, conversation }: SessionRecord): ConversationView {
  return { id: conversationIdOf(session), createdAtMs, metadata: conversation?.metadata ?? {} };
}

/** Erased items are left out. */
export function itemsOf({ items }: SessionRecord, runs: ItemRuns): StoredItem[] {
  return [...indicesOf(runs)].flatMap((index) => items[index] ?? []);
}

export function itemViews(record: SessionRecord, runs: ItemRuns): Item[] {
  return itemsOf(record, runs).map((item) => itemView(record, item));
}

function itemView(record: SessionRecord, item: StoredItem): Item {
  const { place, tokens: _tokens, calls: _calls, outputErased: _erased, ...rest } = item;
  const common = {
    id: itemIdOf(item.type, record.session, place),
    status: item.status ?? 'completed',
  } as const;
  const parts = partsOf(rest).map((part) => {
    if (part.type !== 'input_image') return part;
    const picture = record.pictures.find(({ number }) => number === part.picture);
    if (!picture)
      throw new Error(`item ${place} shows picture ${part.picture}, which its session doesn't have`);
    const { blobId, detail } = picture;
    return { type: part.type, fileId: part.fileId ?? null, blobId, detail };
  });
  return { ...withParts(rest, parts), ...common };
}
