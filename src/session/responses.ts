import { failure } from '../core/errors.ts';
import type { BackgroundLogs } from './backgroundLogs.ts';
import { LogReader } from './eventLog.ts';
import { parseResponseId } from './ids.ts';
import type { Intents } from './intents.ts';
import type { Item } from './items.ts';
import { type LiveTurn, type LiveTurns, TurnCancelled, type TurnEvent } from './liveTurn.ts';
import { notFound } from './notFound.ts';
import { type Page, type PageOptions, pageOf } from './page.ts';
import type { ResponseRecord, SessionRecord } from './record.ts';
import { removeResponse } from './recordEdits.ts';
import type { SessionEdits } from './sessionEdits.ts';
import type { Removed } from './sessionEnds.ts';
import type { SessionStore } from './sessionStore.ts';
import { itemViews, type ResponseView, responseView } from './view.ts';

interface Found {
  readonly record: SessionRecord;
  readonly response: ResponseRecord;
}

/** What can be done with a response after its request. */
export class Responses {
  readonly #sessions: SessionStore;
  readonly #edits: SessionEdits;
  readonly #intents: Intents;
  readonly #live: LiveTurns;
  readonly #logs: BackgroundLogs;

  constructor(parts: {
    sessions: SessionStore;
    edits: SessionEdits;
    intents: Intents;
    live: LiveTurns;
    logs: BackgroundLogs;
  }) {
    this.#sessions = parts.sessions;
    this.#edits = parts.edits;
    this.#intents = parts.intents;
    this.#live = parts.live;
    this.#logs = parts.logs;
  }

  /** Also of a turn that runs. @throws not_found, session_expired */
  async get(tenant: string, id: string): Promise<ResponseView> {
    const { record, response } = await this.#find(tenant, id);
    return responseView(record, response);
  }

  /** The items that came with the request, without those it built on. */
  async inputItems(tenant: string, id: string, page: PageOptions): Promise<Page<Item>> {
    const { record, response } = await this.#find(tenant, id);
    return pageOf(itemViews(record, response.input), page);
  }

  /**
   * Makes the response unfindable and erases what only it led to; responses that build on it stay whole. The last one of a tree
   * takes the session with it, `removed` then says what went. A background turn that still runs is stopped first.
   */
  async delete(tenant: string, id: string): Promise<{ removed: Removed | undefined }> {
    const place = parsed(id);
    await this.#stop(this.#runningInBackground(tenant, place), 'the response was deleted');
    const name = { session: place.session, object: 'response' as const, id };
    const { removed } = await this.#edits.change(tenant, name, (record) => {
      if (!record.responses.some(({ serial }) => serial === place.serial)) throw notFound('response', id);
      return removeResponse(record, place.serial);
    });
    this.#logs.drop(tenant, id);
    return { removed };
  }

  /** Stops a background turn; one that has ended stays as it is. @throws not_found, invalid_parameter */
  async cancel(tenant: string, id: string): Promise<ResponseView> {
    const { response } = await this.#find(tenant, id);
    if (!response.background) {
      throw failure('invalid_parameter', {
        param: 'response_id',
        problem: `${id} cannot be cancelled, it was not made with background: true`,
      });
    }
    await this.#stop(this.#runningInBackground(tenant, parsed(id)), 'the response was cancelled');
    return this.get(tenant, id);
  }

  /**
   * The events of a background turn after number `startingAfter` (the first is 0), going on with those to come.
   * @throws not_found, invalid_parameter, events_gone
   */
  async events(tenant: string, id: string, startingAfter = -1): Promise<AsyncIterableIterator<TurnEvent>> {
    const { response } = await this.#find(tenant, id);
    if (!response.background) {
      throw failure('invalid_parameter', {
        param: 'stream',
        problem: `the events of ${id} were not kept, it was not made with background: true`,
      });
    }
    const log = this.#runningInBackground(tenant, parsed(id))?.log ?? this.#logs.get(tenant, id);
    if (!log) throw failure('events_gone', { id });
    return new LogReader(log, startingAfter + 1);
  }

  async #find(tenant: string, id: string): Promise<Found> {
    const { session, serial } = parsed(id);
    // Asked before the record is read: a turn that ends in between is then committed, or taken back, in what is read.
    const live = this.#live.of(tenant, session, serial);
    const { record: stored } = await this.#sessions.get(tenant, session, 'response', id);
    const intent = stored.intent?.response.serial === serial ? stored.intent : undefined;
    if (intent && (live || this.#intents.runs(tenant, { ...intent, session, serial }))) {
      return { record: stored, response: intent.response };
    }
    const record = intent ? this.#intents.settled(tenant, stored) : stored;
    const response = record.responses.find((candidate) => candidate.serial === serial);
    if (!response) throw notFound('response', id);
    return { record, response };
  }

  #runningInBackground(tenant: string, place: { session: string; serial: number }): LiveTurn | undefined {
    const turn = this.#live.of(tenant, place.session, place.serial);
    return turn?.request.background ? turn : undefined;
  }

  async #stop(turn: LiveTurn | undefined, reason: string): Promise<void> {
    turn?.abort(new TurnCancelled(reason));
    await turn?.done;
  }
}

function parsed(id: string): { session: string; serial: number } {
  const place = parseResponseId(id);
  if (!place) throw notFound('response', id);
  return place;
}
