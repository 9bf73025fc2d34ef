import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UploadSeal } from './uploadSeal.ts';

const seal = new UploadSeal(new Uint8Array(32).fill(1));
const belonging = { tenant: 'acme', blobId: 'b' };

test('what was sealed opens as it was, and shows nothing of itself', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      const salt = UploadSeal.newSalt();
      const sealed = await seal.seal(bytes, salt, belonging);
      expect(await seal.open(sealed, salt, belonging)).toEqual(bytes);
      expect(sealed.length).toBe(bytes.length + 28);
      if (bytes.length >= 8) expect(Buffer.from(sealed).includes(Buffer.from(bytes))).toBe(false);
    }),
  );
  const large = new Uint8Array(3 * 2 ** 20 + 5).map((_, at) => at * 7);
  const salt = UploadSeal.newSalt();
  const opened = await seal.open(await seal.seal(large, salt, belonging), salt, belonging);
  expect(Buffer.compare(opened as Uint8Array, large)).toBe(0);
});

test('what was changed, cut, or belongs to something else does not open', async () => {
  const salt = UploadSeal.newSalt();
  const sealed = await seal.seal(Buffer.from('a picture'), salt, belonging);
  for (let at = 0; at < sealed.length; at++) {
    const changed = sealed.slice();
    changed[at] = (changed[at] as number) ^ 1;
    expect(await seal.open(changed, salt, belonging)).toBeUndefined();
    expect(await seal.open(sealed.slice(0, at), salt, belonging)).toBeUndefined();
  }
  expect(await seal.open(sealed, UploadSeal.newSalt(), belonging)).toBeUndefined();
  expect(await seal.open(sealed, salt, { ...belonging, tenant: 'globex' })).toBeUndefined();
  expect(await seal.open(sealed, salt, { ...belonging, blobId: 'c' })).toBeUndefined();
  const other = new UploadSeal(new Uint8Array(32).fill(2));
  expect(await other.open(sealed, salt, belonging)).toBeUndefined();
});
