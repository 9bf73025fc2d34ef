import type { Logger } from 'pino';
import type { InferencePort } from '../core/inference.ts';
import type { SessionManager } from '../session/sessionManager.ts';
import type { ResponseView } from '../session/view.ts';
import type { GatewayConfig, RateLimits } from './config.ts';

/** Whom a request acts for. */
export interface Principal {
  readonly tenant: string;
  /** null: no key was needed. */
  readonly keyId: string | null;
  /** The key's own limits; what it leaves out the server's setting decides. */
  readonly limits?: Partial<RateLimits>;
}

/** Told of every turn that a route ran, when it has ended. */
export interface TurnObserver {
  /** Not for replays: their turn was counted when it ran. */
  finished(response: ResponseView): void;
  failed(error: unknown): void;
}

/** What the gateway is built from; all of it stays the caller's. */
export interface GatewayParts {
  readonly sessions: SessionManager;
  readonly engine: InferencePort;
  /** Gives nothing for a key that isn't valid. Called with every request, so it must be quick. */
  readonly authenticate: (key: string) => Principal | undefined;
  /** False while the server starts or shuts down: `/readyz` says so. */
  readonly isReady: () => boolean;
  readonly config: GatewayConfig;
  readonly turns: TurnObserver;
  readonly logger: Logger;
}

/** What every route handler finds in its context. */
export interface GatewayEnv {
  Variables: {
    requestId: string;
    principal: Principal;
    /** W3C trace context of this request, to hand on. */
    traceparent: string;
    /**
     * Counts what a request takes of its limits, pictures before they are taken in, tokens when they are known.
     * @throws rate_limit_exceeded for pictures that go over it; nothing of them is counted then
     */
    spend: (what: { readonly tokens?: number; readonly pictures?: number }) => Promise<void>;
  };
}
