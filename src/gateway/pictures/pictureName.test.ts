import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { blobIdOf, pictureName } from './pictureName.ts';

test('names a blob as RFC 6920 has it, and reads the name back', () => {
  // The example of the RFC, section 8.1.
  const blobId = createHash('sha256').update('Hello World!').digest('hex');
  expect(pictureName(blobId)).toBe('ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk');
  expect(blobIdOf(pictureName(blobId))).toBe(blobId);
});

test.each([
  '',
  'ni:///sha-256;',
  'ni:///sha-256;short',
  `ni:///sha-512;${'A'.repeat(43)}`,
  `ni:///sha-256;${'A'.repeat(44)}`,
  `ni://host/sha-256;${'A'.repeat(43)}`,
  `ni:///sha-256;${'!'.repeat(43)}`,
])('%j names no blob', (name) => {
  expect(blobIdOf(name)).toBeUndefined();
});
