/** Beginnings of the picture formats that the intake takes, in latin1; the content decides, never a name or a claim. */
const beginnings: readonly (readonly [RegExp, string])[] = [
  [/^\xff\xd8\xff/, 'image/jpeg'],
  [/^\x89PNG\r\n.\n/, 'image/png'],
  [/^GIF8[79]a/, 'image/gif'],
  [/^RIFF.{4}WEBP/s, 'image/webp'],
  [/^.{4}ftypavi[fs]/s, 'image/avif'],
];

/** Headers for giving a tenant's bytes back so that no browser runs them: whatever isn't a known picture has no type. */
export function contentHeaders(bytes: Uint8Array, filename: string): Record<string, string> {
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const known = beginnings.find(([pattern]) => pattern.test(start));
  return {
    'content-type': known?.[1] ?? 'application/octet-stream',
    'content-disposition': attachment(filename),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-store',
  };
}

/** RFC 6266: an ASCII name for old clients, the real one in RFC 8187's encoding. */
function attachment(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(filename).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
