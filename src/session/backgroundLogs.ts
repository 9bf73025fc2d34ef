import type { EventLog } from './eventLog.ts';
import type { TurnEvent } from './liveTurn.ts';

/** Events of background turns that have ended, within a byte budget, oldest out first. In memory: a restart loses them. */
export class BackgroundLogs {
  readonly #maxBytes: number;
  readonly #logs = new Map<string, { log: EventLog<TurnEvent>; bytes: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  keep(tenant: string, responseId: string, log: EventLog<TurnEvent>): void {
    const { bytes } = log;
    this.#logs.set(keyOf(tenant, responseId), { log, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#logs.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(oldest);
    }
  }

  get(tenant: string, responseId: string): EventLog<TurnEvent> | undefined {
    return this.#logs.get(keyOf(tenant, responseId))?.log;
  }

  drop(tenant: string, responseId: string): void {
    this.#remove(keyOf(tenant, responseId));
  }

  /** Forgets all of a session. */
  dropSession(tenant: string, session: string): void {
    const prefix = keyOf(tenant, `resp_${session}`).slice(0, -2);
    for (const key of this.#logs.keys()) if (key.startsWith(prefix)) this.#remove(key);
  }

  #remove(key: string): void {
    this.#bytes -= this.#logs.get(key)?.bytes ?? 0;
    this.#logs.delete(key);
  }
}

const keyOf = (tenant: string, responseId: string): string => JSON.stringify([tenant, responseId]);
