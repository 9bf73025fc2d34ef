import { lookup } from 'node:dns/promises';
import { isPublicAddress } from './publicAddress.ts';

export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** What fetching a picture may touch, and how long it may take. Tests open single addresses of their own machine. */
export interface FetchRules {
  readonly mayConnect: (address: string) => boolean;
  readonly ports: ReadonlySet<number>;
  readonly resolve: (hostname: string) => Promise<readonly HostAddress[]>;
  /** For all of it: names, redirects, body. */
  readonly deadlineMs: number;
  readonly maxRedirects: number;
}

export const publicInternet: FetchRules = {
  mayConnect: isPublicAddress,
  ports: new Set([80, 443]),
  resolve: (hostname) => lookup(hostname, { all: true }),
  deadlineMs: 10_000,
  maxRedirects: 3,
};
