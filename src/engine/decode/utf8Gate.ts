/**
 * Follows the bytes of an answer and tells which may come next, so that all of it is valid UTF-8 when the answer ends
 * between characters. llama.cpp's grammars take overlong forms for characters; readers don't.
 */
export class Utf8Gate {
  /** The bytes of a character that has begun, at most 3. */
  #pending: Uint8Array = new Uint8Array(0);

  allows(bytes: Uint8Array): boolean {
    return this.#after(bytes) !== undefined;
  }

  /** Takes bytes that are allowed. */
  push(bytes: Uint8Array): void {
    const pending = this.#after(bytes);
    if (!pending) throw new Error('bytes that are not UTF-8 were pushed');
    this.#pending = pending;
  }

  #after(bytes: Uint8Array): Uint8Array | undefined {
    const all = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (all.every((byte) => byte < 0x80)) return new Uint8Array(0);
    try {
      const whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(all, { stream: true });
      return all.slice(Buffer.byteLength(whole));
    } catch {
      return undefined;
    }
  }
}
