/**
 * Turns bytes that come in pieces into text, whole characters only. Bytes that are not UTF-8 become U+FFFD, one for each
 * maximal wrong part, whatever the pieces (WHATWG Encoding, "UTF-8 decoder").
 */
export class Utf8Stream {
  // A byte order mark is a character like any other here; by default TextDecoder drops it.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  push(bytes: Uint8Array): string {
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** U+FFFD when the last character is cut off, else nothing. The stream then starts anew. */
  flush(): string {
    return this.#decoder.decode();
  }
}
