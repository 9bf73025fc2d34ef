import { expect, test } from 'vitest';
import { contentHeaders } from './contentHeaders.ts';

const typeOf = (start: string): string | undefined =>
  contentHeaders(Buffer.from(start, 'latin1'), 'x')['content-type'];

test.each([
  ['\xff\xd8\xff\xe0', 'image/jpeg'],
  ['\x89PNG\r\n\x1a\n....', 'image/png'],
  ['GIF89a....', 'image/gif'],
  ['RIFF\n\0\0\0WEBPVP8 ', 'image/webp'],
  ['\0\0\0 ftypavif....', 'image/avif'],
])('pictures get their type from their content', (start, type) => {
  expect(typeOf(start)).toBe(type);
});

test.each(['<svg onload="alert(1)"/>', '<!doctype html><script>', '%PDF-1.7', '', 'text'])(
  'what a browser could run has no type: %s',
  (start) => {
    expect(typeOf(start)).toBe('application/octet-stream');
  },
);

test.each([
  ['photo.jpg', `attachment; filename="photo.jpg"; filename*=UTF-8''photo.jpg`],
  ['Küche (1).png', `attachment; filename="K_che (1).png"; filename*=UTF-8''K%C3%BCche%20%281%29.png`],
  ['a"; x=\r\ny', `attachment; filename="a_; x=__y"; filename*=UTF-8''a%22%3B%20x%3D%0D%0Ay`],
  ['猫.webp', `attachment; filename="_.webp"; filename*=UTF-8''%E7%8C%AB.webp`],
])('the name %j can not break out of its header', (filename, disposition) => {
  expect(contentHeaders(new Uint8Array(), filename)['content-disposition']).toBe(disposition);
});
