import { failure } from '../core/errors.ts';
import { idleTtlFor } from './config.ts';
import { checkOutputs } from './functionCalls.ts';
import { comparePlaces, newSession, parseConversationId, parseItemId } from './ids.ts';
import { indicesOf, joinRuns } from './itemRuns.ts';
import type { InputItem, Item } from './items.ts';
import { notFound } from './notFound.ts';
import { type Page, type PageOptions, pageOf } from './page.ts';
import type { Pictures } from './pictures.ts';
import type { ConversationRecord, Metadata, SessionRecord } from './record.ts';
import { appendItems, eraseItem, newRecord } from './recordEdits.ts';
import type { EditParts, SessionEdits, SessionName } from './sessionEdits.ts';
import type { Removed } from './sessionEnds.ts';
import type { SessionRemoval } from './sessionRemoval.ts';
import { storeItems } from './storeItems.ts';
import { digestOf } from './turnRequest.ts';
import { type ConversationView, conversationView, itemsOf, itemViews } from './view.ts';

/** Sessions that are one growing list of items. A turn in one takes the whole list as its context and adds to it. */
export class Conversations {
  readonly #parts: EditParts;
  readonly #edits: SessionEdits;
  readonly #pictures: Pictures;
  readonly #removal: SessionRemoval;

  constructor(parts: EditParts, edits: SessionEdits, pictures: Pictures, removal: SessionRemoval) {
    this.#parts = parts;
    this.#edits = edits;
    this.#pictures = pictures;
    this.#removal = removal;
  }

  async create(
    tenant: string,
    {
      items = [],
      metadata = {},
      idleTtlMs,
    }: { items?: readonly InputItem[]; metadata?: Metadata; idleTtlMs?: number },
  ): Promise<ConversationView> {
    const { sessions, clock, config } = this.#parts;
    const empty = newRecord(newSession(), {
      nowMs: clock.nowMs(),
      idleTtlMs: idleTtlFor(config, tenant, idleTtlMs),
      conversation: { metadata, items: [] },
    });
    const { record, toHold } = await this.#withItems(tenant, empty, items);
    try {
      const base = sessions.fresh(tenant, empty);
      const limits = { expiresAtMs: base.expiresAtMs, maxBytes: config.maxRecordBytes };
      if (!(await sessions.save(base, record, limits))) throw failure('version_conflict', {});
    } catch (error) {
      await sessions.letGo(tenant, empty.session, toHold);
      throw error;
    }
    return conversationView(record);
  }

  /** @throws not_found, session_expired; so do all of the following. */
  async get(tenant: string, id: string): Promise<ConversationView> {
    return conversationView(await this.#read(tenant, id));
  }

  async update(tenant: string, id: string, metadata: Metadata): Promise<ConversationView> {
    const { record } = await this.#change(tenant, id, (record, conversation) => ({
      ...record,
      version: record.version + 1,
      conversation: { ...conversation, metadata },
    }));
    return conversationView(record);
  }

  /** Deletes the whole session: items, responses, pictures nothing else shows. Turns that run in it or wait for it are stopped first. */
  async delete(tenant: string, id: string): Promise<Removed> {
    await this.#read(tenant, id);
    return this.#removal.remove(tenant, nameOf(id));
  }

  /** A page may follow an item that was erased since: who erases what they read goes on where they were. */
  async items(tenant: string, id: string, page: PageOptions): Promise<Page<Item>> {
    const record = await this.#read(tenant, id);
    const items = itemViews(record, record.conversation?.items ?? []);
    const { after, ...rest } = page;
    if (after === undefined || items.some((item) => item.id === after)) return pageOf(items, page);
    const erased = parseItemId(after);
    if (erased?.session !== record.session || erased.serial >= record.nextSerial) return pageOf(items, page);
    const isLater = (item: Item): boolean =>
      comparePlaces(parseItemId(item.id)?.place ?? '', erased.place) > 0;
    return pageOf(
      items.filter((item) => isLater(item) === (page.order === 'asc')),
      rest,
    );
  }

  async item(tenant: string, id: string, itemId: string): Promise<Item> {
    const record = await this.#read(tenant, id);
    const found = itemViews(record, record.conversation?.items ?? []).find((item) => item.id === itemId);
    if (!found) throw notFound('item', itemId);
    return found;
  }

  /** Adds items at the end. With `retryCount` above 0 the same items, added a short while ago, are not added again. */
  async append(
    tenant: string,
    id: string,
    items: readonly InputItem[],
    { retryCount = 0 }: { retryCount?: number } = {},
  ): Promise<readonly Item[]> {
    const { clock, config } = this.#parts;
    const digest = digestOf(items);
    const { record } = await this.#change(tenant, id, async (before) => {
      const { lastAppend } = before;
      const isRetry = retryCount > 0 && lastAppend?.digest === digest;
      if (isRetry && clock.nowMs() - lastAppend.atMs <= config.retryWindowMs) return before;
      const { record: grown, runs } = await this.#withItems(tenant, before, items);
      return {
        ...grown,
        version: before.version + 1,
        lastAppend: { digest, atMs: clock.nowMs(), items: runs },
      };
    });
    return itemViews(record, record.lastAppend?.items ?? []);
  }

  /** Erases an item; it can't be seen in responses that were made with it either. */
  async deleteItem(tenant: string, id: string, itemId: string): Promise<ConversationView> {
    const { record } = await this.#change(tenant, id, (before, conversation) => {
      const index = [...indicesOf(conversation.items)].find(
        (at) => itemViews(before, [at, at + 1])[0]?.id === itemId,
      );
      if (index === undefined) throw notFound('item', itemId);
      return eraseItem(before, index);
    });
    return conversationView(record);
  }

  /** With the items at the end of record and conversation, and their pictures held. */
  async #withItems(tenant: string, before: SessionRecord, input: readonly InputItem[]) {
    const serial = before.nextSerial;
    const { items, pictures, toHold } = await storeItems(tenant, before, input, {
      serial,
      sources: { pictures: this.#pictures, sessions: this.#parts.sessions },
      field: 'items',
    });
    checkOutputs(itemsOf(before, before.conversation?.items ?? []), items, 'items');
    await this.#parts.sessions.hold(tenant, before.session, toHold);
    const { record, runs } = appendItems({ ...before, pictures, nextSerial: serial + 1 }, items);
    const { conversation } = before;
    if (!conversation) throw new Error(`session ${before.session} is no conversation`);
    const grown = { ...conversation, items: joinRuns(conversation.items, runs) };
    return { record: { ...record, conversation: grown }, runs, toHold };
  }

  async #read(tenant: string, id: string): Promise<SessionRecord> {
    const name = nameOf(id);
    const { record } = await this.#parts.sessions.get(tenant, name.session, name.object, id);
    if (!record.conversation) throw notFound('conversation', id);
    return record;
  }

  #change(
    tenant: string,
    id: string,
    edit: (record: SessionRecord, conversation: ConversationRecord) => Promise<SessionRecord> | SessionRecord,
  ): ReturnType<SessionEdits['change']> {
    return this.#edits.change(tenant, nameOf(id), (record) => {
      if (!record.conversation) throw notFound('conversation', id);
      return edit(record, record.conversation);
    });
  }
}

function nameOf(id: string): SessionName {
  const session = parseConversationId(id);
  if (!session) throw notFound('conversation', id);
  return { session, object: 'conversation', id };
}
