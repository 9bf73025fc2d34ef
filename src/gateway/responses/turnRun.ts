import { AsyncQueue } from '../../core/asyncQueue.ts';
import { TurnCancelled, type TurnEvent } from '../../session/liveTurn.ts';
import type { TurnRequest } from '../../session/turnRequest.ts';
import type { ResponseView } from '../../session/view.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';

/** A turn that runs and is counted to its end, whether or not somebody reads its events. */
export class TurnRun {
  /** For one reader. What a reader leaves unread is no more than the session's own log holds. */
  readonly events = new AsyncQueue<TurnEvent>();
  readonly #leaving = new AbortController();

  constructor(
    parts: GatewayParts,
    turn: { tenant: string; request: TurnRequest; spend: GatewayEnv['Variables']['spend'] },
  ) {
    void this.#run(parts, turn);
  }

  /** The reader is gone: stops the turn at once, unless it runs in the background. */
  readonly leave = (): void => this.#leaving.abort(new TurnCancelled('the client left'));

  get isLeft(): boolean {
    return this.#leaving.signal.aborted;
  }

  async #run(
    parts: GatewayParts,
    { tenant, request, spend }: ConstructorParameters<typeof TurnRun>[1],
  ): Promise<void> {
    const count = async ({ result }: ResponseView): Promise<void> => {
      if (result) await spend({ tokens: result.usage.promptTokens + result.usage.outputTokens });
    };
    try {
      for await (const event of parts.sessions.respond(tenant, request, { signal: this.#leaving.signal })) {
        this.events.push(event);
        if (event.type !== 'finished' || event.replayed) continue;
        // It is committed: what goes wrong with counting it doesn't concern its reader.
        await count(event.response).catch((error) => parts.logger.error({ err: error }, 'turn not counted'));
        parts.turns.finished(event.response);
      }
      this.events.end();
    } catch (error) {
      this.events.fail(error);
      parts.turns.failed(error);
    }
  }
}
