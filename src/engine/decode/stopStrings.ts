import { failure } from '../../core/errors.ts';

/** One stop string, followed through a text one UTF-16 unit at a time (Knuth, Morris, Pratt). */
class Follower {
  readonly text: string;
  /** Units of the stop string that the text so far ends with; never all of them between two texts. */
  matched = 0;
  /** For each prefix of the stop string: length of its longest proper prefix that is also its suffix. */
  readonly #borders: number[] = [0];

  constructor(text: string) {
    this.text = text;
    for (let i = 1, border = 0; i < text.length; i++) {
      border = this.#extend(border, text[i] as string);
      this.#borders.push(border);
    }
  }

  /** @returns true when the stop string is complete. */
  next(unit: string): boolean {
    this.matched = this.#extend(this.matched, unit);
    return this.matched === this.text.length;
  }

  #extend(length: number, unit: string): number {
    let border = length;
    while (border > 0 && this.text[border] !== unit) border = this.#borders[border - 1] as number;
    return this.text[border] === unit ? border + 1 : border;
  }
}

/**
 * Cuts a streamed text before the first stop string.
 *
 * The text stops as soon as any stop string is complete, and is cut where that one begins; of several that are complete
 * at the same place the one that begins first counts. So the cut depends on the text alone, not on how it was streamed,
 * and text once given out is never taken back.
 */
export class StopStrings {
  readonly #followers: Follower[];
  /** The end of the text so far that may yet turn out to begin a stop string. */
  #held = '';
  #stopped = false;

  /** @throws invalid_parameter for a string that no text can contain. */
  constructor(stop: readonly string[]) {
    if (!stop.every((text) => text !== '' && text.isWellFormed())) {
      throw failure('invalid_parameter', {
        param: 'stop',
        problem: 'a stop string is empty or not valid Unicode',
      });
    }
    this.#followers = stop.map((text) => new Follower(text));
  }

  /** Takes more text, whole characters only; gives out what no stop string can reach any more. */
  push(text: string): { readonly text: string; readonly stopped: boolean } {
    if (this.#stopped) throw new Error('text was pushed behind a stop string');
    const known = this.#held + text;
    for (let end = this.#held.length; end < known.length; end++) {
      let stop = 0;
      for (const follower of this.#followers) {
        if (follower.next(known[end] as string)) stop = Math.max(stop, follower.text.length);
      }
      if (stop > 0) {
        this.#stopped = true;
        this.#held = '';
        return { text: known.slice(0, end + 1 - stop), stopped: true };
      }
    }
    const held = this.#followers.reduce((most, { matched }) => Math.max(most, matched), 0);
    this.#held = known.slice(known.length - held);
    return { text: known.slice(0, known.length - held), stopped: false };
  }

  /** What is still held back, once it is clear that no more text comes. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    for (const follower of this.#followers) follower.matched = 0;
    return held;
  }
}
