import { EventLog } from './eventLog.ts';
import type { FunctionCallItem } from './items.ts';
import type { TurnRequest } from './turnRequest.ts';
import type { ResponseView, SessionView } from './view.ts';

export type TurnEvent =
  /** The intent is durable. The response is in progress. */
  | { readonly type: 'started'; readonly response: ResponseView; readonly replayed: boolean }
  /** Text of the message item with this id, which is in `finished` whole. */
  | { readonly type: 'delta'; readonly itemId: string; readonly text: string }
  /** A function call that is complete; it comes after all text. */
  | { readonly type: 'functionCall'; readonly item: FunctionCallItem }
  /** Committed. Its status says how it ended; only a background turn can end as failed or cancelled. */
  | {
      readonly type: 'finished';
      readonly response: ResponseView;
      /** null when nothing was stored. */
      readonly session: SessionView | null;
      readonly replayed: boolean;
    };

/** Why a turn was stopped by its owner, and not by something that went wrong. */
export class TurnCancelled extends Error {
  override readonly name = 'AbortError';
  constructor(reason: string) {
    super(reason);
  }
}

/** A turn that is running in this process. */
export class LiveTurn {
  readonly tenant: string;
  readonly request: TurnRequest;
  readonly log = new EventLog<TurnEvent>();
  /** Settles when the turn has left nothing to do; never rejects. */
  done: Promise<void> = Promise.resolve();
  /** Set once it waits for its session, or has it. */
  session: string | undefined;
  /** Set once its serial is known. */
  place: { readonly session: string; readonly serial: number } | undefined;
  readonly #controller = new AbortController();

  constructor(tenant: string, request: TurnRequest) {
    this.tenant = tenant;
    this.request = request;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }
}

/** Running turns by session; a session has at most one. */
export class LiveTurns {
  readonly #all = new Set<LiveTurn>();
  readonly #bySession = new Map<string, LiveTurn>();

  get size(): number {
    return this.#all.size;
  }

  get all(): readonly LiveTurn[] {
    return [...this.#all];
  }

  begin(turn: LiveTurn): void {
    this.#all.add(turn);
  }

  end(turn: LiveTurn): void {
    this.#all.delete(turn);
  }

  place(turn: LiveTurn, session: string, serial: number): void {
    turn.place = { session, serial };
    this.#bySession.set(sessionKey(turn.tenant, session), turn);
  }

  unplace(turn: LiveTurn): void {
    if (turn.place) this.#bySession.delete(sessionKey(turn.tenant, turn.place.session));
  }

  /** The turn that runs in a session and those that wait for it. */
  in(tenant: string, session: string): LiveTurn[] {
    return this.all.filter((turn) => turn.tenant === tenant && turn.session === session);
  }

  /** The running turn of a session, only the one with this serial if it is given. */
  of(tenant: string, session: string, serial?: number): LiveTurn | undefined {
    const turn = this.#bySession.get(sessionKey(tenant, session));
    return serial === undefined || turn?.place?.serial === serial ? turn : undefined;
  }
}

export const sessionKey = (tenant: string, session: string): string => JSON.stringify([tenant, session]);
