import { featureKey } from './featureCache.ts';

/**
 * Which sessions show which images, so that an image's features go with the last of them. Uses without a session own nothing.
 * The end of a session costs a look at every image in use.
 */
export class ImageOwners {
  readonly #owned = new Map<string, { tenant: string; imageKey: string; sessions: Set<string> }>();

  use(tenant: string, imageKey: string, session: string | undefined): void {
    if (session === undefined) return;
    const key = featureKey(tenant, imageKey);
    const owned = this.#owned.get(key) ?? { tenant, imageKey, sessions: new Set() };
    owned.sessions.add(session);
    this.#owned.set(key, owned);
  }

  /** The images that nobody shows any more without this session. */
  release(tenant: string, session: string): string[] {
    const left: string[] = [];
    for (const [key, owned] of this.#owned) {
      if (owned.tenant !== tenant || !owned.sessions.delete(session) || owned.sessions.size > 0) continue;
      this.#owned.delete(key);
      left.push(owned.imageKey);
    }
    return left;
  }

  forget(tenant: string): void {
    for (const [key, owned] of this.#owned) if (owned.tenant === tenant) this.#owned.delete(key);
  }
}
