import { failure } from '../core/errors.ts';
import { conversationIdOf, isSession, parseConversationId, parseResponseId, responseIdOf } from './ids.ts';
import { joinRuns } from './itemRuns.ts';
import { type PictureSummary, summariesOf } from './likeness.ts';
import { notFound } from './notFound.ts';
import { checkPageLimit, type Page } from './page.ts';
import { type Meant, meantInTalk, type Question } from './pictureInQuestion.ts';
import type { SessionRecord } from './record.ts';
import { picturesOf } from './recordEdits.ts';
import type { SessionName } from './sessionEdits.ts';
import type { Removed } from './sessionEnds.ts';
import type { SessionRemoval } from './sessionRemoval.ts';
import type { OpenSession, SessionStore } from './sessionStore.ts';
import { itemsOf } from './view.ts';

export interface SessionSummary {
  /** What the ids of everything in it have in common. */
  readonly id: string;
  /** null for a tree of responses without a conversation. */
  readonly conversationId: string | null;
  /** null while there is none. */
  readonly lastResponseId: string | null;
  /** Responses that can still be found. */
  readonly turns: number;
  /** With those of a turn that runs, without erased ones. */
  readonly items: number;
  readonly pictures: number;
  /** Size of the stored record; pictures and state are kept elsewhere. */
  readonly recordBytes: number;
  readonly createdAtMs: number;
  /** Unless it is used again. */
  readonly expiresAtMs: number;
  /** One more with every committed change. */
  readonly version: number;
}

/** A session with what only looking at it alone is worth. */
export interface SessionDetails extends SessionSummary {
  readonly pictureList: readonly PictureSummary[];
  /** What the last question is about, by its words; null when that is no picture. */
  readonly pictureInQuestion: Meant | null;
}

/** The sessions of a tenant as their operator sees them. Looking begins no idle time anew. */
export class Catalogue {
  readonly #sessions: SessionStore;
  readonly #removal: SessionRemoval;

  constructor(sessions: SessionStore, removal: SessionRemoval) {
    this.#sessions = sessions;
    this.#removal = removal;
  }

  /**
   * In order of their random ids, so new ones turn up anywhere: a page costs reading and inflating its own records, however
   * many sessions there are.
   * @throws invalid_parameter
   */
  async list(
    tenant: string,
    { after, limit = 20 }: { /** The last id of the page before. */ after?: string; limit?: number } = {},
  ): Promise<Page<SessionSummary>> {
    checkPageLimit(limit);
    // That of a session that ended since is a place in the list all the same.
    if (after !== undefined && !isSession(after)) {
      const problem = `must be the id of a session, got ${JSON.stringify(after.slice(0, 40))}`;
      throw failure('invalid_parameter', { param: 'after', problem });
    }
    const found = await this.#sessions.list(tenant, { after, limit: limit + 1 });
    return { data: found.slice(0, limit).map(summaryOf), hasMore: found.length > limit };
  }

  /** @param id of the session, its conversation or one of its responses. @throws not_found, session_expired */
  async get(tenant: string, id: string): Promise<SessionDetails> {
    const name = nameOf(id);
    const found = await this.#sessions.get(tenant, name.session, 'session', id);
    if (!leadsTo(found, id)) throw notFound('session', id);
    const { record } = found;
    return {
      ...summaryOf(found),
      pictureList: summariesOf(record.pictures),
      pictureInQuestion: meantInTalk(questionsOf(record)).at(-1) ?? null,
    };
  }

  /** Removes all of a session, as it ends when it expires; takes the same ids as `get`. @throws not_found, session_expired */
  async delete(tenant: string, id: string): Promise<Removed> {
    await this.get(tenant, id);
    return this.#removal.remove(tenant, nameOf(id));
  }
}

/** The user's messages of the newest turn and of all it was said after. */
function questionsOf(record: SessionRecord): Question[] {
  const last = record.intent?.response ?? record.responses.at(-1);
  if (!last) return [];
  return itemsOf(record, joinRuns(last.context, last.input)).flatMap((item) => {
    if (item.type !== 'message' || item.role !== 'user') return [];
    const text = item.content.map((part) => (part.type === 'input_image' ? '' : part.text)).join('\n');
    return [{ text, pictures: picturesOf(item) }];
  });
}

function nameOf(id: string): SessionName {
  const session = isSession(id) ? id : (parseConversationId(id) ?? parseResponseId(id)?.session);
  if (session === undefined) throw notFound('session', id);
  return { session, object: 'session', id };
}

function leadsTo({ record }: OpenSession, id: string): boolean {
  if (isSession(id)) return true;
  if (parseConversationId(id)) return record.conversation !== null;
  const serial = parseResponseId(id)?.serial;
  const responses = record.intent ? [...record.responses, record.intent.response] : record.responses;
  return responses.some((response) => response.serial === serial);
}

function summaryOf({ record, recordBytes, expiresAtMs }: OpenSession): SessionSummary {
  const { session, responses } = record;
  const last = responses.at(-1);
  return {
    id: session,
    conversationId: record.conversation && conversationIdOf(session),
    lastResponseId: last ? responseIdOf(session, last.serial) : null,
    turns: responses.length,
    items: record.items.filter((item) => item !== null).length,
    pictures: record.pictures.length,
    recordBytes,
    createdAtMs: record.createdAtMs,
    expiresAtMs,
    version: record.version,
  };
}
