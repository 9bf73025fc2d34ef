import { failure } from '../../core/errors.ts';

/**
 * The bytes of a base64 data URL (RFC 2397). Its media type is not looked at: the content tells.
 * `param` is the field with the URL, for errors. @throws invalid_parameter, image_file_too_large
 */
export function bytesOfDataUrl(
  url: string,
  { param, maxBytes }: { param: string; maxBytes: number },
): Uint8Array {
  const comma = url.indexOf(',');
  if (comma < 0 || !url.slice(0, comma).toLowerCase().endsWith(';base64')) {
    throw failure('invalid_parameter', { param, problem: 'is a data URL without ";base64,"' });
  }
  const padding = url.endsWith('==') ? 2 : url.endsWith('=') ? 1 : 0;
  const digits = url.length - padding - comma - 1;
  const length = Math.floor((digits * 3) / 4);
  if (length > maxBytes) {
    const details = { param, bytes: length, limit: maxBytes };
    throw failure('image_file_too_large', details);
  }
  const bytes = Buffer.from(url.slice(comma + 1), 'base64');
  // The decoder leaves out what is no base64.
  if (bytes.length !== length || digits % 4 === 1 || (padding > 0 && (digits + padding) % 4 !== 0)) {
    throw failure('invalid_parameter', { param, problem: 'is a data URL with data that is not base64' });
  }
  return bytes;
}
