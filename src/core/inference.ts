import type {
  EngineInfo,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  HeldSession,
  ImageName,
  PrewarmResult,
  PromptCount,
  StateNode,
} from './request.ts';

/**
 * Where answers come from. The native engine, the scripted engine and (later) upstream servers stand behind it; what
 * lies above never knows which.
 */
export interface InferencePort {
  /** Waits until the first request can be served. @throws AfterimageError when it never can. */
  ready(): Promise<EngineInfo>;

  /**
   * Yields text as it comes and exactly one `done` at the end. Ending the loop early or aborting the signal stops the
   * work within one step and frees its slot; an aborted signal throws its reason.
   * Everything wrong with the request is thrown before the first event; a request is never changed.
   */
  generate(request: GenerateRequest, options?: { signal?: AbortSignal }): AsyncIterable<GenerateEvent>;

  /** Encodes and prefills what a later `generate` with the same messages would need. No output, idempotent. */
  prewarm(request: GenerateRequest, options?: { signal?: AbortSignal }): Promise<PrewarmResult>;

  /** What the prompt of a request would take. Nothing is encoded or computed. Same errors as `generate`, but for its length. */
  countTokens(request: GenerateRequest): Promise<PromptCount>;

  /**
   * Drops all state and features of a tenant, or those made for one of its sessions that no other one shows; running requests go
   * on and are dropped when they end.
   */
  forget(tenant: string, session?: string): Promise<void>;

  /**
   * Sessions of which something is kept beyond the life of an engine process. Who owns the sessions checks after a restart which
   * of them still live, and has the others forgotten.
   */
  heldSessions(): Promise<readonly HeldSession[]>;

  /**
   * Whether the features of a picture that a session of the tenant was asked about outlive an engine process, so that its pixels
   * aren't needed for the session's life; waits for those that are just being written. They may be lost all the same, as a file may.
   */
  keepsFeatures(tenant: string, image: ImageName): Promise<boolean>;

  /** What is kept for a session, parents before children; empty for one that nothing is kept of. */
  stateTree(tenant: string, session: string): Promise<readonly StateNode[]>;

  stats(): Promise<EngineStats>;

  /** Stops running requests with `engine_unavailable` and frees everything. Idempotent. */
  dispose(): Promise<void>;
}
