import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/helpers/gguf.ts';
import { entry, rawFile, tensorInfo, u32, u64 } from '../../test/helpers/rawGguf.ts';
import { readGgufHeader } from './ggufHeader.ts';

async function expectInvalid(path: string, field: string, problem: string | RegExp) {
  const error = await readGgufHeader(path).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'model_metadata_invalid', details: { path, field } });
  expect(error.details.problem).toMatch(problem);
}

test('refuses other versions and byte orders', async () => {
  await expectInvalid(await rawFile([], [], { version: 1 }), 'its GGUF version', /^1,/);
  await expectInvalid(await rawFile([], [], { version: 0x03000000 }), 'its GGUF version', /^50331648,/);
});

test('refuses more of anything than its limit', async () => {
  const path = join(await temporaryFolder(), 'counts.gguf');
  const counts = (tensors: number, entries: number) =>
    writeFile(
      path,
      Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors), u64(entries), Buffer.alloc(64)]),
    );
  await counts(65_537, 0);
  await expectInvalid(path, 'its number of tensors', '65537, the limit is 65536');
  await counts(0, 4097);
  await expectInvalid(path, 'its number of metadata entries', '4097, the limit is 4096');
  const long = await rawFile([], [entry('key', 8, u64(2 ** 40))]);
  await expectInvalid(long, 'the length of key', '1099511627776, the limit is 4194304');
  const list = await rawFile([], [entry('key', 9, u32(0), u64(2 ** 40))]);
  await expectInvalid(list, 'the length of key', '1099511627776, the limit is 1048576');
  const name = await rawFile([tensorInfo('n'.repeat(64), [8], 0, 0)], []);
  await expectInvalid(name, 'the length of the name of tensor 0', '64, the limit is 63');
});

test('refuses a header that never ends', async () => {
  const names = Array.from({ length: 30 }, (_, index) => `k${index}`);
  const entries = names.map((name) => entry(name, 8, u64(0)));
  const path = await rawFile([], entries);
  const file = await open(path, 'r+');
  // Each text has 3 MiB and lies in a hole of the file: together they pass the limit of a header.
  let offset = 24;
  for (const name of names) {
    const head = entry(name, 8, u64(3 * 2 ** 20));
    await file.write(head, 0, head.length, offset);
    offset += head.length + 3 * 2 ** 20;
  }
  await file.truncate(offset);
  await file.close();
  await expectInvalid(path, 'its header', 'longer than 67108864 bytes');
});

test('refuses unknown value types and lists of lists', async () => {
  await expectInvalid(await rawFile([], [entry('key', 13)]), 'key', 'of unknown type 13');
  await expectInvalid(await rawFile([], [entry('key', 9, u32(9), u64(1))]), 'key', 'of unknown type 9');
});

test('refuses a key or tensor that is there twice', async () => {
  const twice = [entry('a\x1b[1mb', 0, Buffer.of(1)), entry('a\x1b[1mb', 0, Buffer.of(2))];
  await expectInvalid(await rawFile([], twice), 'a?[1mb', 'there twice');
  const tensors = [tensorInfo('t', [8], 0, 0), tensorInfo('t', [8], 0, 32)];
  await expectInvalid(await rawFile(tensors, []), 'tensor t', 'there twice');
});

test.each([0, 48])('refuses an alignment of %i', async (alignment) => {
  const path = await rawFile([], [entry('general.alignment', 4, u32(alignment))]);
  await expectInvalid(path, 'general.alignment', `${alignment}, not a power of two`);
});

test.each([
  ['no side', tensorInfo('t', [], 0, 0), 'of 0 sides'],
  ['five sides', tensorInfo('t', [1, 1, 1, 1, 1], 0, 0), 'of 5 sides'],
  ['an empty side', tensorInfo('t', [8, 0], 0, 0), 'of shape 8x0'],
  ['a row that is no whole number of blocks', tensorInfo('t', [33], 8, 0), 'impossible for type q8_0'],
  ['an unknown type', tensorInfo('t', [8], 43, 0), 'of unknown type 43'],
  ['a removed type', tensorInfo('t', [8], 4, 0), 'of unknown type 4'],
  ['a gap before it', tensorInfo('t', [8], 0, 32), 'at offset 32, 0 was expected'],
])('refuses a tensor with %s', async (_, info, problem) => {
  await expectInvalid(await rawFile([info], []), 'tensor t', problem);
});

test('refuses a tensor over another', async () => {
  const path = await rawFile([tensorInfo('s', [8], 0, 0), tensorInfo('t', [8], 0, 0)], []);
  await expectInvalid(path, 'tensor t', 'at offset 0, 32 was expected');
});
