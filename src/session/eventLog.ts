/** Events of one turn in order, kept so that any number of readers can follow from any place. */
export class EventLog<T extends object> {
  readonly #events: T[] = [];
  #closed: { readonly error?: unknown } | undefined;
  #wake = Promise.withResolvers<void>();

  get length(): number {
    return this.#events.length;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  append(event: T): void {
    this.#events.push(event);
    this.#wakeReaders();
  }

  /** The first of `end` and `fail` wins. Readers get what was appended before. */
  end(): void {
    this.#closed ??= {};
    this.#wakeReaders();
  }

  fail(error: unknown): void {
    this.#closed ??= { error };
    this.#wakeReaders();
  }

  /** Waits for the event with this index; undefined when the log ended before it. @throws what it failed with */
  async at(index: number): Promise<T | undefined> {
    while (index >= this.#events.length && !this.#closed) await this.#wake.promise;
    const event = this.#events[index];
    if (event === undefined && this.#closed && 'error' in this.#closed) throw this.#closed.error;
    return event;
  }

  /** Length of all events as JSON, about what they hold in memory. */
  get bytes(): number {
    return this.#events.reduce((sum, event) => sum + JSON.stringify(event).length, 0);
  }

  #wakeReaders(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Reads a log from an index on; `onLeave` is called when the reader stops before the end. */
export class LogReader<T extends object> implements AsyncIterableIterator<T, undefined> {
  readonly #log: EventLog<T>;
  readonly #onLeave: () => void;
  #index: number;
  #over = false;

  constructor(log: EventLog<T>, index: number, onLeave: () => void = () => {}) {
    this.#log = log;
    this.#index = index;
    this.#onLeave = onLeave;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#over) return { done: true, value: undefined };
    try {
      const value = await this.#log.at(this.#index);
      if (value !== undefined) {
        this.#index++;
        return { done: false, value };
      }
    } catch (error) {
      this.#over = true;
      throw error;
    }
    this.#over = true;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    if (!this.#over) {
      this.#over = true;
      this.#onLeave();
    }
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
