import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { imageDigest } from './digest.ts';

const rgb = new Uint8Array(48).map((_, i) => i);

test('the same bytes in another shape are another picture', () => {
  const shapes = [[2, 8], [8, 2], [4, 4], [1, 16], [16, 1]] as const; // biome-ignore format: a list of pairs
  const digests = shapes.map(([width, height]) => imageDigest(width, height, rgb));
  expect(new Set(digests).size).toBe(shapes.length);
  expect(imageDigest(2, 8, rgb.slice())).toBe(digests[0]);
});

test('digits cannot move from one field to the next', () => {
  expect(imageDigest(11, 1, rgb)).not.toBe(imageDigest(1, 11, rgb));
  expect(imageDigest(1, 12, rgb)).not.toBe(imageDigest(11, 2, rgb));
});

test('one bit of one pixel changes it', () => {
  const other = rgb.slice();
  other[47] = (other[47] as number) ^ 1;
  expect(imageDigest(4, 4, other)).not.toBe(imageDigest(4, 4, rgb));
});

test('the encoding is pinned: digests outlive a release', () => {
  const field = (bytes: Uint8Array) => {
    const length = Buffer.alloc(8);
    length[7] = bytes.length;
    return [length, bytes];
  };
  const fields = ['afterimage.image.v1', '4', '4', 'RGB8'].flatMap((text) => field(Buffer.from(text)));
  const expected = createHash('sha256')
    .update(Buffer.concat([...fields, ...field(rgb)]))
    .digest('hex');
  expect(imageDigest(4, 4, rgb)).toBe(`sha256:${expected}`);
});
