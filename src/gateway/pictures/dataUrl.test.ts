import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfDataUrl } from './dataUrl.ts';

const at = { param: 'input[0].content[0].image_url', maxBytes: 1_000 };

test('gives any bytes back, whatever their media type is said to be', () => {
  const head = fc.constantFrom('data:image/png;base64,', 'data:;base64,', 'DATA:text/plain;x=1;BASE64,');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), head, fc.boolean(), (bytes, start, padded) => {
      const digits = Buffer.from(bytes).toString('base64');
      const url = start + (padded ? digits : digits.replace(/=+$/, ''));
      expect(Buffer.from(bytesOfDataUrl(url, at))).toEqual(Buffer.from(bytes));
    }),
  );
});

test.each([
  'data:image/png;base64,AA!A',
  'data:image/png;base64,AAAA\nAAAA',
  'data:image/png;base64,A',
  'data:image/png;base64,AAAAA',
  'data:image/png;base64,AAA==',
  'data:image/png;base64,AAAA=',
  'data:image/png;base64,AA==AA==',
  'data:image/png;base64,=',
  'data:image/png,AAAA',
  'data:image/png;base64',
  'data:',
])('refuses %j by the name of its field', (url) => {
  expect(() => bytesOfDataUrl(url, at)).toThrow(
    expect.objectContaining({
      code: 'invalid_parameter',
      details: expect.objectContaining({ param: at.param }),
    }),
  );
});

test('a picture over the limit is refused before it is decoded', () => {
  const url = (bytes: number) => `data:;base64,${Buffer.alloc(bytes).toString('base64')}`;
  expect(bytesOfDataUrl(url(1_000), at)).toHaveLength(1_000);
  expect(() => bytesOfDataUrl(url(1_001), at)).toThrow(
    expect.objectContaining({
      code: 'image_file_too_large',
      details: { ...at, maxBytes: undefined, bytes: 1_001, limit: 1_000 },
    }),
  );
});
