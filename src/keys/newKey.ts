import { createHash, randomBytes } from 'node:crypto';
import { apiKeyPrefix } from '../core/apiKey.ts';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 256 random bits in base 62, always 43 characters. */
export const newKey = (): string => `${apiKeyPrefix}${base62(32, 43)}`;
/** Names a key where it is listed and logged; tells nothing of the key itself. */
export const newKeyId = (): string => `key_${base62(8, 11)}`;

export const keyPattern = new RegExp(`^${apiKeyPrefix}[0-9A-Za-z]{43}$`);

/** What is stored of a key. Its 256 random bits need no salt and no slow hash: there is nothing to guess. */
export const keyHash = (key: string): Uint8Array => createHash('sha256').update(key).digest();

function base62(bytes: number, length: number): string {
  let value = BigInt(`0x${randomBytes(bytes).toString('hex')}`);
  let text = '';
  for (let i = 0; i < length; i++) {
    text = digits.charAt(Number(value % 62n)) + text;
    value /= 62n;
  }
  return text;
}
