/** Per minute and principal; null is no limit. */
export interface RateLimits {
  readonly requests: number | null;
  /** Prompt and answer together. */
  readonly tokens: number | null;
  /** Pictures uploaded or sent along. */
  readonly pictures: number | null;
}

/** Settings of the HTTP side; documented for operators by the server's configuration schema. */
export interface GatewayConfig {
  /** False only when the server listens on loopback alone: requests without a key then act for `localTenant`. */
  readonly keyRequired: boolean;
  readonly localTenant: string;
  /** Names besides loopback ones that a server without required keys answers to: host names without a port. */
  readonly allowedHosts: readonly string[];
  /** Names besides the model's own that requests may give as `model`. */
  readonly modelAliases: readonly string[];
  readonly limits: RateLimits;
  /** JSON bodies, pictures in them included. Uploaded files have their own limit. */
  readonly maxBodyBytes: number;
  readonly maxFileBytes: number;
  readonly maxJsonDepth: number;
  /** Pictures named by URL are fetched only when this is on, and then never from private addresses. */
  readonly pictureUrls: boolean;
  /** A reader that takes nothing for this long is disconnected. */
  readonly slowReaderMs: number;
}

export const defaultGatewayConfig: GatewayConfig = {
  keyRequired: true,
  localTenant: 'local',
  allowedHosts: [],
  modelAliases: [],
  limits: { requests: null, tokens: null, pictures: null },
  maxBodyBytes: 64 * 2 ** 20,
  maxFileBytes: 20 * 2 ** 20,
  maxJsonDepth: 32,
  pictureUrls: false,
  slowReaderMs: 30_000,
};
