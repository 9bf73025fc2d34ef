import { AfterimageError, failure } from '../../core/errors.ts';

const quote = 0x22;
const backslash = 0x5c;

/** @throws invalid_json; unknown_parameter for `__proto__`; invalid_parameter when it is nested deeper than `maxDepth`, before any of it is built */
export function parseJson(bytes: Buffer, maxDepth: number): unknown {
  const depth = jsonDepth(bytes);
  if (depth > maxDepth) {
    throw failure('invalid_parameter', {
      param: 'body',
      problem: `may be nested at most ${maxDepth} deep, is ${depth}`,
    });
  }
  const text = decoded(bytes);
  try {
    // Schemas drop a field of this name without a word. An escape could spell it.
    return text.includes('__proto__') || text.includes('\\u')
      ? JSON.parse(text, refuseProto)
      : JSON.parse(text);
  } catch (error) {
    if (error instanceof AfterimageError) throw error;
    throw failure('invalid_json', { problem: problemOf(text, error) }, { cause: error });
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw failure('unknown_parameter', { param: key });
  return value;
}

/** Nesting of arrays and objects, counted over the bytes; what isn't JSON has some depth as well. */
export function jsonDepth(bytes: Buffer): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at);
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return deepest;
}

/** Where the string that begins at `start` ends. Pictures are long strings: the search skips over them natively. */
function endOfString(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(quote, start + 1); end >= 0; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return bytes.length;
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw failure('invalid_json', { problem: 'it is not UTF-8' }, { cause });
  }
}

function problemOf(text: string, error: unknown): string {
  if (text.trim() === '') return 'it is empty';
  const message = error instanceof Error ? error.message : '';
  const [, position] = / at position (\d+)/.exec(message) ?? [];
  if (position !== undefined) return `there is a mistake at character ${position}`;
  return message.includes('end of JSON')
    ? `it ends too early, at character ${text.length}`
    : 'there is a mistake in it';
}
