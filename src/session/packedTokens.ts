/** Token ids as base64 of unsigned LEB128: two to three bytes a token, where JSON numbers need up to seven. */
export function packTokens(tokens: readonly number[]): string {
  const bytes: number[] = [];
  for (const token of tokens) {
    let rest = token;
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    bytes.push(rest);
  }
  return Buffer.from(bytes).toString('base64');
}

export function unpackTokens(packed: string): number[] {
  const tokens: number[] = [];
  let [token, scale] = [0, 1];
  for (const byte of Buffer.from(packed, 'base64')) {
    token += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    tokens.push(token);
    [token, scale] = [0, 1];
  }
  return tokens;
}
