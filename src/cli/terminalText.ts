/**
 * Text from elsewhere (file names, what the model writes) as it may go to a terminal: without control characters, which
 * could recolour, retitle or retype. Line ends and tabs are harmless.
 */
export function terminalText(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '\ufffd');
}

/** The same, in one line. */
export function terminalLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '\ufffd');
}
