/**
 * Which sessions use what of a tenant's that is not one session's alone, an image's features or a prompt's beginning, so that it
 * goes with the last of them. Uses without a session own nothing. The end of a session costs a look at its own uses.
 */
export class SharedOwners {
  readonly #sessionsOf = new Map<string, Set<string>>();
  readonly #namesOf = new Map<string, Set<string>>();

  /** True when that is news. */
  use(tenant: string, name: string, session: string): boolean {
    const names = this.#namesOf.get(keyOf(tenant, session)) ?? new Set();
    if (names.has(name)) return false;
    this.#namesOf.set(keyOf(tenant, session), names.add(name));
    const sessions = this.#sessionsOf.get(keyOf(tenant, name)) ?? new Set();
    this.#sessionsOf.set(keyOf(tenant, name), sessions.add(session));
    return true;
  }

  isUsed(tenant: string, name: string): boolean {
    return this.#sessionsOf.has(keyOf(tenant, name));
  }

  namesOf(tenant: string, session: string): ReadonlySet<string> {
    return this.#namesOf.get(keyOf(tenant, session)) ?? new Set();
  }

  /** What nobody uses any more without this session. */
  release(tenant: string, session: string): string[] {
    const names = this.#namesOf.get(keyOf(tenant, session)) ?? [];
    this.#namesOf.delete(keyOf(tenant, session));
    const left: string[] = [];
    for (const name of names) {
      const sessions = this.#sessionsOf.get(keyOf(tenant, name));
      sessions?.delete(session);
      if (sessions?.size !== 0) continue;
      this.#sessionsOf.delete(keyOf(tenant, name));
      left.push(name);
    }
    return left;
  }

  forget(tenant: string): void {
    const prefix = keyOf(tenant, '');
    for (const map of [this.#sessionsOf, this.#namesOf]) {
      for (const key of map.keys()) if (key.startsWith(prefix)) map.delete(key);
    }
  }
}

/** The tenant's length comes first, so that no tenant's name can reach into another's keys. */
const keyOf = (tenant: string, name: string): string => `${tenant.length}:${tenant}:${name}`;
