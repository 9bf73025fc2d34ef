const maxLength = 100;

/** Text from a model file for a message or a terminal: one line, no control characters, not too long. */
export function printable(text: string): string {
  const line = text.slice(0, maxLength + 1).replace(/\p{C}/gu, '?');
  return line.length > maxLength ? `${line.slice(0, maxLength)}...` : line;
}
